/** The extension of JUnit 5. */
package klamm.junit;

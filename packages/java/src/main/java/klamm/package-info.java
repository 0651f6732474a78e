/**
 * A Kafka broker for each test. {@link klamm.Klamm} starts one; {@code klamm.junit.KlammExtension} is the extension of JUnit 5.
 */
package klamm;

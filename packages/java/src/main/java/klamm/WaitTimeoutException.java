package klamm;

/** What was waited for has not come; the sentence says what was missing. */
public final class WaitTimeoutException extends KlammException {
    private static final long serialVersionUID = 1;

    WaitTimeoutException(String message) {
        super(message);
    }
}

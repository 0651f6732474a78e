package klamm;

/** The broker has refused a call, in its own words. */
public class KlammException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** @param message what went wrong */
    public KlammException(String message) {
        super(message);
    }

    /**
     * @param message what went wrong
     * @param cause why
     */
    public KlammException(String message, Throwable cause) {
        super(message, cause);
    }
}

package klamm;

/** There is no broker: its program is not found, or has ended before it was ready. */
public final class StartException extends KlammException {
    private static final long serialVersionUID = 1;

    StartException(String message) {
        super(message);
    }

    StartException(String message, Throwable cause) {
        super(message, cause);
    }
}

package klamm.junit;

import java.util.stream.Collectors;
import klamm.Filter;
import klamm.Klamm;
import klamm.KlammException;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;

/**
 * A broker for a test class or for each of its tests.
 *
 * <p>In a static field, or by {@code @ExtendWith} on a class, it is one for all tests of the class:
 *
 * <pre>{@code
 * @RegisterExtension
 * static final KlammExtension KLAMM = KlammExtension.of(Klamm.builder().topic("orders", 3));
 * }</pre>
 *
 * <p>In a field of the instance each test has its own. Tests, constructors and callbacks may have it as a parameter of the
 * type {@link Klamm}. A test that fails shows the last requests and the end of the broker's log.
 */
public final class KlammExtension
        implements BeforeAllCallback,
                AfterAllCallback,
                BeforeEachCallback,
                AfterEachCallback,
                ParameterResolver,
                TestExecutionExceptionHandler {
    private static final int LAST_REQUESTS = 20;

    private final Klamm.Builder options;
    /** How many classes and tests are using the broker: it lives as long as there are some. */
    private int users;

    private Klamm klamm;

    /** A broker without options. */
    public KlammExtension() {
        this(Klamm.builder());
    }

    private KlammExtension(Klamm.Builder options) {
        this.options = options;
    }

    /**
     * A broker with options.
     *
     * @param options of the broker
     * @return the extension
     */
    public static KlammExtension of(Klamm.Builder options) {
        return new KlammExtension(options);
    }

    /** @return the broker of the class or test that runs */
    public synchronized Klamm get() {
        if (klamm == null) throw new IllegalStateException("the broker lives while a test or its class runs, and none does");
        return klamm;
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        begin();
    }

    @Override
    public void afterAll(ExtensionContext context) {
        end();
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        begin();
    }

    @Override
    public void afterEach(ExtensionContext context) {
        end();
    }

    private synchronized void begin() {
        if (users == 0) klamm = options.start();
        users++;
    }

    private synchronized void end() {
        // It was not counted where its start has failed.
        if (users == 0) return;
        users--;
        if (users > 0) return;
        klamm.close();
        klamm = null;
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == Klamm.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return get();
    }

    @Override
    public void handleTestExecutionException(ExtensionContext context, Throwable failure) throws Throwable {
        if (!failure.getClass().getName().equals("org.opentest4j.TestAbortedException")) failure.addSuppressed(new Seen(get()));
        throw failure;
    }

    /** What the broker has to say about a test that failed. */
    static final class Seen extends Exception {
        private static final long serialVersionUID = 1;

        Seen(Klamm klamm) {
            super("the broker's last requests:" + requests(klamm) + "\nits log:\n" + klamm.log(), null, false, false);
        }

        private static String requests(Klamm klamm) {
            try {
                return klamm.requests(Filter.any(), LAST_REQUESTS).stream().map(one -> "\n  " + one).collect(Collectors.joining());
            } catch (KlammException error) {
                return " " + error.getMessage();
            }
        }

        @Override
        public String toString() {
            return getMessage();
        }
    }
}

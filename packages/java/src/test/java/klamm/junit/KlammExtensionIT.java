package klamm.junit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import klamm.Clients;
import klamm.Count;
import klamm.Filter;
import klamm.Klamm;
import klamm.Wait;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.platform.testkit.engine.EngineExecutionResults;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Event;

/** How long a broker lives, and what is shown of a test that failed. */
class KlammExtensionIT {
    private static final List<Long> BROKERS = new ArrayList<>();

    static class Static {
        @RegisterExtension
        static final KlammExtension KLAMM = KlammExtension.of(Klamm.builder().topic("orders", 1));

        @BeforeAll
        static void shared(Klamm klamm) {
            klamm.waitFor(Wait.topic("orders"));
        }

        @Test
        void one(Klamm klamm) {
            assertSame(klamm, KLAMM.get());
            BROKERS.add(klamm.pid());
        }

        @Test
        void two() {
            BROKERS.add(KLAMM.get().pid());
        }

        @Nested
        class Inner {
            @Test
            void three(Klamm klamm) {
                BROKERS.add(klamm.pid());
            }
        }
    }

    static class OfEachTest {
        @RegisterExtension
        final KlammExtension klamm = new KlammExtension();

        @Test
        void one() {
            BROKERS.add(klamm.get().pid());
        }

        @Test
        void two(Klamm klamm) {
            BROKERS.add(klamm.pid());
        }
    }

    @ExtendWith(KlammExtension.class)
    static class Declared {
        Declared(Klamm klamm) {
            BROKERS.add(klamm.pid());
        }

        @Test
        void one() {}

        @Test
        void two() {}
    }

    @ExtendWith(KlammExtension.class)
    static class Failing {
        @Test
        void one(Klamm klamm) throws Exception {
            Clients.send(klamm, "orders", "a");
            klamm.assertRequests(Filter.api("Produce"), Count.atMost(0));
        }
    }

    static class NotStarting {
        @RegisterExtension
        static final KlammExtension KLAMM = KlammExtension.of(Klamm.builder().override("log.retention.ms", "long"));

        @Test
        void one() {}
    }

    private static EngineExecutionResults run(Class<?> tests) {
        BROKERS.clear();
        return EngineTestKit.engine("junit-jupiter").selectors(selectClass(tests)).execute();
    }

    @Test
    void aStaticFieldIsOneForTheClass() {
        run(Static.class).testEvents().assertStatistics(stats -> stats.succeeded(3).failed(0));
        assertEquals(3, BROKERS.size());
        assertEquals(1, new HashSet<>(BROKERS).size());
        assertTrue(ProcessHandle.of(BROKERS.get(0)).isEmpty());
        assertThrows(IllegalStateException.class, Static.KLAMM::get);
    }

    @Test
    void aFieldIsOneForEachTest() {
        run(OfEachTest.class).testEvents().assertStatistics(stats -> stats.succeeded(2).failed(0));
        assertNotEquals(BROKERS.get(0), BROKERS.get(1));
    }

    @Test
    void aDeclaredOneIsOneForTheClass() {
        run(Declared.class).testEvents().assertStatistics(stats -> stats.succeeded(2).failed(0));
        assertEquals(BROKERS.get(0), BROKERS.get(1));
    }

    @Test
    void aFailureShowsWhatTheBrokerSaw() {
        var failure = failure(run(Failing.class).testEvents().failed().list());
        assertTrue(failure instanceof AssertionError, failure.toString());
        var seen = failure.getSuppressed()[0].toString();
        assertTrue(seen.contains(" Produce v") && seen.contains("listener=PLAINTEXT"), seen);
    }

    @Test
    void aStartThatFailsIsTheFailure() {
        var failure = failure(run(NotStarting.class).containerEvents().failed().list());
        assertTrue(failure.getMessage().contains("Not a number of type LONG"), failure.toString());
    }

    private static Throwable failure(List<Event> failed) {
        assertEquals(1, failed.size());
        return failed.get(0)
                .getRequiredPayload(org.junit.platform.engine.TestExecutionResult.class)
                .getThrowable()
                .orElseThrow();
    }
}

package klamm;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/** Waits in tests: each look is a call of something, and there is an end. */
final class Until {
    /** How long anything here may take on a busy machine. */
    static final Duration DEADLINE = Duration.ofSeconds(60);

    private Until() {}

    static void so(String sentence, BooleanSupplier isSo) {
        var late = System.nanoTime() + DEADLINE.toNanos();
        while (!isSo.getAsBoolean()) {
            if (System.nanoTime() - late > 0) throw new AssertionError(sentence + ": not within " + DEADLINE);
        }
    }
}

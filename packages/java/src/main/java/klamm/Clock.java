package klamm;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;

/** The clock that the broker goes by: sessions, rebalances, transactions, retention follow it. */
public final class Clock {
    private static final String PATH = "/v1/clock";

    private final Control control;

    Clock(Control control) {
        this.control = control;
    }

    /** @return what it shows */
    public Instant now() {
        return time(control.get(PATH, Map.of()));
    }

    /** @return whether it stands still */
    public boolean frozen() {
        return (Boolean) control.get(PATH, Map.of()).agreed().get("frozen");
    }

    /**
     * Lets it stand still until {@link #resume}; {@link #advance} and {@link #set} move it all the same.
     *
     * @return what it shows
     */
    public Instant freeze() {
        return time(control.post(PATH, Map.of("frozen", true)));
    }

    /**
     * Lets it go on.
     *
     * @return what it shows
     */
    public Instant resume() {
        return time(control.post(PATH, Map.of("frozen", false)));
    }

    /**
     * Moves it ahead. All that became due has been done when this returns.
     *
     * @param duration how far
     * @return what it shows
     */
    public Instant advance(Duration duration) {
        return time(control.post(PATH, Map.of("advance_ms", duration.toMillis())));
    }

    /**
     * Sets it: ahead is a move as by {@link #advance}; back is the wall clock alone.
     *
     * @param moment what it shall show
     * @return what it shows
     */
    public Instant set(Instant moment) {
        return time(control.post(PATH, Map.of("wall_ms", moment.toEpochMilli())));
    }

    private static Instant time(Control.Answer answer) {
        return Instant.ofEpochMilli((Long) answer.agreed().get("wall_ms"));
    }
}

package klamm;

import java.util.Map;

/** How many requests a test expects. */
public final class Count extends Words {
    private Count(Map<String, Object> words) {
        super(words);
    }

    /**
     * @param most how many
     * @return so many or fewer
     */
    public static Count atMost(int most) {
        return new Count(Map.of("at_most", most));
    }

    /**
     * @param least how many
     * @return so many or more
     */
    public static Count atLeast(int least) {
        return new Count(Map.of("at_least", least));
    }

    /**
     * @param number how many
     * @return neither more nor fewer
     */
    public static Count exactly(int number) {
        return new Count(Map.of("at_least", number, "at_most", number));
    }
}

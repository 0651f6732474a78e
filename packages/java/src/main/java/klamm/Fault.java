package klamm;

import java.util.Map;

/** A rule by which the broker breaks. In a try it is removed at the end. */
public final class Fault implements AutoCloseable {
    private static final String PATH = "/v1/faults";

    private final Control control;
    private final long id;

    Fault(Control control, long id) {
        this.control = control;
        this.id = id;
    }

    /** @return the rule's number */
    public long id() {
        return id;
    }

    /** @return how many requests it was for; a rule that matches nothing is a mistake in the rule, mostly */
    public long matched() {
        return (Long) look().get("matched");
    }

    /** @return how many requests it has struck: those of the matched that nth, every, probability and count leave */
    public long struck() {
        return (Long) look().get("struck");
    }

    /** @return whether it strikes no more: its count is reached, or its time is over */
    public boolean over() {
        return (Boolean) look().get("over");
    }

    /** Lets go on what it holds; what comes behind is held again. */
    public void release() {
        control.post(PATH + "/release", Map.of("id", id), "").agreed();
    }

    /** Takes it away; what it holds goes on. Once more does nothing. */
    public void remove() {
        var answer = control.delete(PATH, Map.of("id", id));
        if (answer.status() != 404) answer.agreed();
    }

    /** The same as {@link #remove}. */
    @Override
    public void close() {
        remove();
    }

    private Map<String, Object> look() {
        for (var rule : Json.list(control.get(PATH, Map.of()).agreed().get("faults"))) {
            if (Json.object(rule).get("id").equals(id)) return Json.object(rule);
        }
        throw new KlammException("the fault " + id + " was removed");
    }
}

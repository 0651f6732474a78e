import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.utils.internals.Exit;

/**
 * Runs the official command line tools one after the other in one JVM: a line of JSON in ({"class", "args", "input",
 * "seconds"}), a line of JSON out ({"code", "out", "err"}; no code if it did not end in time).
 *
 * A call sees what a process of its own would: its input, its output, an exit that ends it, the hooks that run at the exit,
 * the wait for threads that are not daemons. What a thread prints goes to the call that started the thread, so that one left
 * behind by an earlier call does not write into a later one's output. Tools that call System.exit or hang hooks on the JVM
 * itself (kafka-verifiable-*, kafka-replica-verification) are not for this program.
 */
public final class OfficialTools {
    /** Hooks wait for what has ended already, as a rule. */
    private static final long HOOKS_SECONDS = 10;

    /** Thrown where a process would have ended. An Error, because tools catch exceptions. */
    private static final class Ended extends Error {
        private static final long serialVersionUID = 1L;

        Ended() {
            super("the tool has ended", null, false, false);
        }
    }

    /** One call of a tool. */
    private static final class Call {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        final ByteArrayOutputStream err = new ByteArrayOutputStream();
        final List<Runnable> hooks = new ArrayList<>();
        final CountDownLatch ended = new CountDownLatch(1);
        Integer code;
        boolean closed;

        /** The first exit counts, unless it comes too late; it runs the hooks as a JVM would. */
        void exit(int with) {
            synchronized (this) {
                if (code != null || closed)
                    return;
                code = with;
            }
            Thread runner = new Thread(() -> hooks.forEach(Runnable::run), "hooks");
            runner.setDaemon(true);
            runner.start();
            try {
                runner.join(TimeUnit.SECONDS.toMillis(HOOKS_SECONDS));
            } catch (InterruptedException interrupted) {
                // The call is over either way.
            }
            close();
        }

        synchronized void close() {
            closed = true;
            ended.countDown();
        }

        synchronized void write(ByteArrayOutputStream to, byte[] bytes, int from, int count) {
            if (!closed)
                to.write(bytes, from, count);
        }
    }

    private static final InheritableThreadLocal<Call> CALL = new InheritableThreadLocal<>();

    /** A stream that writes to that of the thread's own call. */
    private static final class Routed extends OutputStream {
        private final boolean isErr;

        Routed(boolean isErr) {
            this.isErr = isErr;
        }

        @Override
        public void write(int one) {
            write(new byte[] {(byte) one}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int from, int count) {
            Call call = CALL.get();
            if (call != null)
                call.write(isErr ? call.err : call.out, bytes, from, count);
        }
    }

    private static void runMain(Call call, String name, String[] args) {
        try {
            Method main = Class.forName(name).getMethod("main", String[].class);
            main.invoke(null, (Object) args);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof Ended)
                return;
            System.err.print("Exception in thread \"main\" ");
            thrown.getCause().printStackTrace();
            call.exit(1);
        } catch (ReflectiveOperationException missing) {
            System.err.println(missing);
            call.exit(1);
        }
    }

    /** The threads for which a JVM would wait once main has returned. */
    private static void joinOthers(ThreadGroup group) throws InterruptedException {
        Thread[] threads = new Thread[group.activeCount() * 2 + 16];
        int count = group.enumerate(threads);
        for (int i = 0; i < count; i++)
            if (threads[i] != Thread.currentThread() && !threads[i].isDaemon())
                threads[i].join();
    }

    private static Call run(JsonNode request) throws InterruptedException {
        Call call = new Call();
        List<String> args = new ArrayList<>();
        request.get("args").forEach(argument -> args.add(argument.asText()));
        System.setIn(new ByteArrayInputStream(request.get("input").asText().getBytes(StandardCharsets.UTF_8)));
        ThreadGroup group = new ThreadGroup("call");
        Thread thread = new Thread(group, () -> {
            CALL.set(call);
            runMain(call, request.get("class").asText(), args.toArray(new String[0]));
            try {
                joinOthers(group);
                call.exit(0);
            } catch (InterruptedException late) {
                call.close();
            }
        }, "main");
        thread.setDaemon(true);
        thread.start();
        if (!call.ended.await(request.get("seconds").asLong(), TimeUnit.SECONDS)) {
            call.close();
            thread.interrupt();
        }
        return call;
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        PrintStream answers = System.out;
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.setOut(new PrintStream(new Routed(false), true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(new Routed(true), true, StandardCharsets.UTF_8));
        Exit.Procedure exit = (code, message) -> {
            Call call = CALL.get();
            if (call != null)
                call.exit(code);
            throw new Ended();
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        Exit.setShutdownHookAdder((name, hook) -> {
            Call call = CALL.get();
            if (call != null)
                call.hooks.add(hook);
        });
        ObjectMapper mapper = new ObjectMapper();
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            Call call = run(mapper.readTree(line));
            ObjectNode answer = mapper.createObjectNode();
            synchronized (call) {
                answer.put("code", call.code);
                answer.put("out", call.out.toString(StandardCharsets.UTF_8));
                answer.put("err", call.err.toString(StandardCharsets.UTF_8));
            }
            answers.println(mapper.writeValueAsString(answer));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }
}

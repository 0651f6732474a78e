import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Runs one of Apache Kafka's examples: `BOOTSTRAP CLASS ARGUMENT...`. They speak to localhost:9092, which the compiler wrote
 * into each of their classes: a loader of their own replaces that one constant; nothing else of them is changed.
 */
public final class Example extends ClassLoader {
    private static final byte[] THEIRS = constant("localhost:9092");
    private final byte[] ours;

    private Example(String bootstrap) {
        super(Example.class.getClassLoader());
        ours = constant(bootstrap);
    }

    /** A string as a class file has it: tag 1, its length, its bytes. */
    private static byte[] constant(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        byte[] constant = new byte[bytes.length + 3];
        constant[0] = 1;
        constant[2] = (byte) bytes.length;
        System.arraycopy(bytes, 0, constant, 3, bytes.length);
        return constant;
    }

    private byte[] replaced(byte[] file) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int copied = 0;
        for (int at = 0; at + THEIRS.length <= file.length; at++) {
            if (Arrays.equals(file, at, at + THEIRS.length, THEIRS, 0, THEIRS.length)) {
                out.write(file, copied, at - copied);
                out.writeBytes(ours);
                copied = at + THEIRS.length;
                at = copied - 1;
            }
        }
        out.write(file, copied, file.length - copied);
        return out.toByteArray();
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith("kafka.examples."))
            return super.loadClass(name, resolve);
        Class<?> loaded = findLoadedClass(name);
        if (loaded != null)
            return loaded;
        try (InputStream in = getResourceAsStream(name.replace('.', '/') + ".class")) {
            byte[] file = replaced(in.readAllBytes());
            return defineClass(name, file, 0, file.length);
        } catch (IOException error) {
            throw new ClassNotFoundException(name, error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Class<?> example = new Example(arguments[0]).loadClass("kafka.examples." + arguments[1]);
        String[] rest = Arrays.copyOfRange(arguments, 2, arguments.length);
        example.getMethod("main", String[].class).invoke(null, (Object) rest);
    }
}

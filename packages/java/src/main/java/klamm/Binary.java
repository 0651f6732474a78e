package klamm;

import java.io.File;
import java.io.IOException;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Where the program is: what the caller names, KLAMM_BIN, the one in this jar, the one in PATH. */
final class Binary {
    private static Path unpacked;

    private Binary() {}

    static Path find(Path explicit) {
        return find(explicit, System.getenv("KLAMM_BIN"), Binary::unpacked, System.getenv("PATH"));
    }

    /** One that is named must be there: the next place is not tried instead of it. */
    static Path find(Path explicit, String variable, Supplier<Path> own, String path) {
        if (explicit != null) return runs(explicit, "binary()");
        if (variable != null && !variable.isEmpty()) return runs(Path.of(variable), "KLAMM_BIN");
        var packaged = own.get();
        if (packaged != null) return packaged;
        return Stream.of((path == null ? "" : path).split(File.pathSeparator))
                .filter(folder -> !folder.isEmpty())
                .map(folder -> Path.of(folder, "klamm"))
                .filter(Binary::runs)
                .findFirst()
                .orElseThrow(() -> new StartException("the program klamm is not found: this jar has none for " + platform()
                        + "; name one by Klamm.builder().binary(), by KLAMM_BIN or in PATH"));
    }

    /** What makes a program that is there end at once, as a part of a sentence: it was built for another machine or C library. */
    static String whyNot(Path program) {
        var built = Elf.of(program);
        if (built.isEmpty()) return "";
        if (!built.get().machine().equals(machine()))
            return "; it was built for " + built.get().machine() + ", and this machine is " + machine();
        return built.get()
                .loader()
                .filter(loader -> !Files.exists(Path.of(loader)))
                .map(loader -> "; it was built for another C library (musl or glibc): its loader " + loader + " is not here")
                .orElse("");
    }

    private static Path runs(Path program, String origin) {
        if (!runs(program)) throw new StartException(origin + " names " + program + ", which is no program that can be run");
        return program;
    }

    private static boolean runs(Path program) {
        return Files.isRegularFile(program) && Files.isExecutable(program);
    }

    /** As {@code uname -m} says it. */
    static String machine() {
        var arch = System.getProperty("os.arch");
        return arch.equals("amd64") ? "x86_64" : arch;
    }

    /** The folder of the jar in which the program for this system is. */
    static String platform() {
        return System.getProperty("os.name").toLowerCase(Locale.ROOT) + "-" + machine();
    }

    /** The jar's program as a file, which all processes of this user share; null where the jar has none for this system. */
    private static synchronized Path unpacked() {
        if (unpacked == null) {
            var program = Binary.class.getResource("/klamm/" + platform() + "/klamm");
            if (program == null) return null;
            unpacked = unpacked(program, cache());
        }
        return unpacked;
    }

    private static Path cache() {
        var named = System.getenv("XDG_CACHE_HOME");
        return named == null || named.isEmpty() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(named);
    }

    /**
     * Once for each program, in a folder of the cache that its size and checksum name. Where nothing can be written there, a file of
     * this process, which goes when the JVM ends, unless that is killed.
     */
    static Path unpacked(URL program, Path cache) {
        try {
            var opened = program.openConnection();
            var check = opened instanceof JarURLConnection jar ? jar.getJarEntry().getCrc() : opened.getLastModified();
            var size = opened.getContentLengthLong();
            opened.getInputStream().close();
            var file = cache.resolve(Path.of("klamm-test", size + "-" + Long.toHexString(check), "klamm"));
            if (runs(file) && Files.size(file) == size) return file;
            try {
                Files.createDirectories(file.getParent());
                // Others may do the same: each has a whole file, or none.
                return Files.move(copy(program, file.getParent()), file, StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException error) {
                var own = copy(program, Path.of(System.getProperty("java.io.tmpdir")));
                own.toFile().deleteOnExit();
                return own;
            }
        } catch (IOException error) {
            throw new StartException("the program in the jar cannot be unpacked: " + error.getMessage(), error);
        }
    }

    private static Path copy(URL program, Path folder) throws IOException {
        var mode = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
        var file = Files.createTempFile(folder, "klamm-", "", mode);
        try (var in = program.openStream();
                var out = Files.newOutputStream(file)) {
            in.transferTo(out);
            return file;
        } catch (IOException error) {
            Files.deleteIfExists(file);
            throw error;
        }
    }
}

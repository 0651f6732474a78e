package klamm;

import java.io.File;
import java.io.IOException;
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

    private static Path runs(Path program, String origin) {
        if (!runs(program)) throw new StartException(origin + " names " + program + ", which is no program that can be run");
        return program;
    }

    private static boolean runs(Path program) {
        return Files.isRegularFile(program) && Files.isExecutable(program);
    }

    private static String platform() {
        var arch = System.getProperty("os.arch").equals("amd64") ? "x86_64" : System.getProperty("os.arch");
        return System.getProperty("os.name").toLowerCase(Locale.ROOT) + "-" + arch;
    }

    /** Writes the jar's program to a file of this process, once; it goes when the JVM ends. */
    private static synchronized Path unpacked() {
        if (unpacked != null) return unpacked;
        try (var program = Binary.class.getResourceAsStream("/klamm/" + platform() + "/klamm")) {
            if (program == null) return null;
            var mode = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
            var file = Files.createTempFile("klamm-", "", mode);
            file.toFile().deleteOnExit();
            Files.copy(program, file, StandardCopyOption.REPLACE_EXISTING);
            // A replaced file has the usual mode, which lets no program run.
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
            unpacked = file;
            return file;
        } catch (IOException error) {
            throw new StartException("the program in the jar cannot be unpacked: " + error.getMessage(), error);
        }
    }
}

package klamm;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** README.md shows nothing but what the tests in src/test/java/readme run. */
class ReadmeTest {
    private static final Pattern PIECE = Pattern.compile("^```java\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);

    @Test
    void eachPieceOfJavaIsRun() throws IOException {
        var pieces = PIECE.matcher(Files.readString(Path.of("README.md"))).results().map(MatchResult::group).toList();
        assertFalse(pieces.isEmpty());
        String run;
        try (var files = Files.list(Path.of("src/test/java/readme"))) {
            run = files.map(ReadmeTest::text).map(ReadmeTest::withoutIndentation).collect(Collectors.joining());
        }
        for (var piece : pieces) {
            var lines = piece.lines().filter(line -> !line.startsWith("```")).collect(Collectors.joining("\n"));
            assertTrue(run.contains(withoutIndentation(lines)), () -> "no test runs this piece of README.md:\n" + piece);
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }

    private static String withoutIndentation(String text) {
        return text.lines().map(String::strip).filter(line -> !line.isEmpty()).collect(Collectors.joining("\n", "", "\n"));
    }
}

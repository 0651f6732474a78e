package klamm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonTest {
    @Test
    void values() {
        assertEquals(Arrays.asList(1L, -2.5, true, false, null, "a"), Json.read(" [1, -2.5,true,false,null,\"a\"] "));
        assertEquals(Map.of("a", Map.of(), "b", List.of()), Json.read("{\"a\":{},\"b\":[ ]}"));
        assertEquals("\" \\ / \b \f \n \r \t é \u20ac", Json.read("\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \u00e9 \\u20AC\""));
        assertEquals(Long.MAX_VALUE, Json.read("9223372036854775807"));
        assertEquals(1e3, Json.read("1e3"));
    }

    @Test
    void whatIsWrittenIsRead() {
        var value = Map.of("text", "\"\\\n\u0001é", "list", List.of(1L, true, List.of()), "map", Map.of());
        assertEquals(value, Json.read(Json.write(value)));
        assertEquals("{\"after\":true}", Json.write(Map.of("after", true)));
        assertEquals("null", Json.write(null));
    }

    @Test
    void whatIsNone() {
        for (var text : List.of("", "{", "[", "[1", "{\"a\"}", "{\"a\":1,}", "\"a", "\"\\u12\"", "\"\\", "tru", "1 2", "-", "99999999999999999999", "[".repeat(1000)))
            assertThrows(IllegalArgumentException.class, () -> Json.read(text), text);
    }

    @Test
    void aPath() {
        var value = Json.read("{\"a\":[{\"b\":7}]}");
        assertEquals(7L, Json.at(value, "a", 0, "b"));
        assertNull(Json.at(value, "a", 1, "b"));
        assertNull(Json.at(value, "a", "b"));
        assertNull(Json.at(value, "c", 0));
    }
}

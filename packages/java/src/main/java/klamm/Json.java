package klamm;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON as maps, lists, strings, longs, doubles, booleans and nulls. A library for it would meet the tested application's own
 * version of that library.
 */
final class Json {
    private static final int MAX_DEPTH = 200;

    private final String text;
    private int place;

    private Json(String text) {
        this.text = text;
    }

    static Object read(String text) {
        var json = new Json(text);
        var value = json.value(0);
        json.space();
        if (json.place < text.length()) throw json.wrong("the end");
        return value;
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        if (value instanceof Map<?, ?> map) return (Map<String, Object>) map;
        throw new IllegalArgumentException(write(value) + " is no object");
    }

    static List<?> list(Object value) {
        if (value instanceof List<?> list) return list;
        throw new IllegalArgumentException(write(value) + " is no array");
    }

    static Object at(Object value, Object... path) {
        for (var step : path) {
            if (value instanceof Map<?, ?> map) value = map.get(step);
            else if (value instanceof List<?> list && step instanceof Integer n && n >= 0 && n < list.size()) value = list.get(n);
            else return null;
        }
        return value;
    }

    static String write(Object value) {
        var out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof Map<?, ?> map) {
            var mark = '{';
            for (var entry : map.entrySet()) {
                write(entry.getKey().toString(), out.append(mark));
                write(entry.getValue(), out.append(':'));
                mark = ',';
            }
            out.append(map.isEmpty() ? "{}" : "}");
        } else if (value instanceof List<?> list) {
            var mark = '[';
            for (var one : list) {
                write(one, out.append(mark));
                mark = ',';
            }
            out.append(list.isEmpty() ? "[]" : "]");
        } else if (value instanceof CharSequence string) {
            out.append('"');
            string.chars().forEach(c -> out.append(escaped((char) c)));
            out.append('"');
        } else {
            out.append(value);
        }
    }

    private static String escaped(char c) {
        if (c == '"' || c == '\\') return "\\" + c;
        return c < ' ' ? String.format("\\u%04x", (int) c) : String.valueOf(c);
    }

    private Object value(int depth) {
        space();
        if (depth > MAX_DEPTH) throw wrong("less depth");
        if (next('{')) return map(depth);
        if (next('[')) return array(depth);
        if (next('"')) return string();
        if (word("true")) return true;
        if (word("false")) return false;
        if (word("null")) return null;
        return number();
    }

    private Map<String, Object> map(int depth) {
        var found = new LinkedHashMap<String, Object>();
        space();
        if (next('}')) return found;
        do {
            space();
            expect('"');
            var name = string();
            space();
            expect(':');
            found.put(name, value(depth + 1));
            space();
        } while (next(','));
        expect('}');
        return found;
    }

    private List<Object> array(int depth) {
        var found = new ArrayList<>();
        space();
        if (next(']')) return found;
        do {
            found.add(value(depth + 1));
            space();
        } while (next(','));
        expect(']');
        return found;
    }

    private String string() {
        var out = new StringBuilder();
        while (!next('"')) {
            if (place == text.length()) throw wrong("the end of a string");
            var c = text.charAt(place++);
            out.append(c == '\\' ? escape() : c);
        }
        return out.toString();
    }

    private char escape() {
        if (place == text.length()) throw wrong("an escape");
        var c = text.charAt(place++);
        switch (c) {
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                if (place + 4 > text.length()) throw wrong("four digits");
                place += 4;
                return (char) Integer.parseInt(text, place - 4, place, 16);
            default:
                return c;
        }
    }

    private Object number() {
        var start = place;
        while (place < text.length() && "+-.0123456789eE".indexOf(text.charAt(place)) >= 0) place++;
        var digits = text.substring(start, place);
        try {
            return digits.matches("-?[0-9]+") ? (Object) Long.valueOf(digits) : (Object) Double.valueOf(digits);
        } catch (NumberFormatException error) {
            throw wrong("a value");
        }
    }

    private void space() {
        while (place < text.length() && text.charAt(place) <= ' ') place++;
    }

    private boolean next(char c) {
        var there = place < text.length() && text.charAt(place) == c;
        if (there) place++;
        return there;
    }

    private boolean word(String word) {
        var there = text.startsWith(word, place);
        if (there) place += word.length();
        return there;
    }

    private void expect(char c) {
        if (!next(c)) throw wrong("'" + c + "'");
    }

    private IllegalArgumentException wrong(String expected) {
        return new IllegalArgumentException("JSON: " + expected + " was expected at " + place);
    }
}

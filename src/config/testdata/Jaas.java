// Prints what OpenJDK and Kafka make of JAAS texts (in.txt: I or F, a blank, the text with escapes), as jaas.tsv has it:
//   java -cp "$KAFKA/libs/*" Jaas.java > jaas.tsv
import java.lang.reflect.*;
import java.nio.file.*;
import java.util.*;
import javax.security.auth.login.*;
public class Jaas {
  static String esc(String s) { if (s == null) return "null"; StringBuilder b = new StringBuilder(); for (char c : s.toCharArray()) { if (c == '\\') b.append("\\\\"); else if (c == '\n') b.append("\\n"); else if (c == '\r') b.append("\\r"); else if (c == '\t') b.append("\\t"); else if (c < 32 || c > 126) b.append(String.format("\\u%04x", (int) c)); else b.append(c);} return b.toString(); }
  static String un(String s) { StringBuilder b = new StringBuilder(); for (int i = 0; i < s.length(); i++) { char c = s.charAt(i); if (c != '\\') { b.append(c); continue; } c = s.charAt(++i); switch (c) { case 'n': b.append('\n'); break; case 'r': b.append('\r'); break; case 't': b.append('\t'); break; case 'u': b.append((char) Integer.parseInt(s.substring(i+1,i+5),16)); i += 4; break; default: b.append(c);} } return b.toString(); }
  static String show(AppConfigurationEntry[] es) { StringBuilder b = new StringBuilder(); for (AppConfigurationEntry e : es) { b.append(b.length() == 0 ? "" : " ; ").append(esc(e.getLoginModuleName())); for (Map.Entry<String,?> o : new TreeMap<>(e.getOptions()).entrySet()) b.append(' ').append(esc(String.valueOf(o.getKey()))).append('[').append(esc(String.valueOf(o.getValue()))).append(']'); } return b.toString(); }
  public static void main(String[] a) throws Exception {
    Class<?> c = Class.forName("org.apache.kafka.common.security.JaasConfig");
    Constructor<?> k = c.getDeclaredConstructor(String.class, String.class); k.setAccessible(true);
    for (String line : Files.readAllLines(Path.of("in.txt"))) {
      String kind = line.substring(0, 1), text = un(line.substring(2)), out;
      try {
        if (kind.equals("I")) {
          Configuration conf = (Configuration) k.newInstance("x", text);
          out = "ok\t" + show(conf.getAppConfigurationEntry("x"));
        } else {
          Path p = Path.of("jaas.tmp"); Files.writeString(p, text);
          System.setProperty("java.security.auth.login.config", p.toString());
          Configuration conf = Configuration.getInstance("JavaLoginConfig", null);
          StringBuilder b = new StringBuilder();
          for (String n : new String[]{"KafkaServer", "external.KafkaServer"}) { AppConfigurationEntry[] es = conf.getAppConfigurationEntry(n); b.append(b.length() == 0 ? "" : " | ").append(es == null ? "none" : show(es)); }
          out = "ok\t" + b;
        }
      } catch (Throwable t) { while (t.getCause() != null) t = t.getCause(); out = "err\t" + esc(t.getMessage()); }
      System.out.println(line + "\t" + out);
    }
  }
}

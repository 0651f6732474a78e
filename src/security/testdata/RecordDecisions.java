// Asks classes of Apache Kafka about access and prints decisions-4.4.0.txt: which CIDR texts are taken, how Java writes
// addresses, and what StandardAuthorizer decides with random rules.
//
// Usage: java -cp '/path/to/kafka-4.4.0/libs/*' RecordDecisions.java > decisions-4.4.0.txt
//
// Fields are separated by tabs. What StandardAuthorizerData fails with is not asked: names of resources that begin with a
// character below '*' (checkSection may not end, or throws), and a client that is called User:* (Set.of throws).

import java.net.InetAddress;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.security.auth.*;
import org.apache.kafka.metadata.authorizer.*;
import org.apache.kafka.server.authorizer.*;
import org.apache.kafka.server.authorizer.internals.CidrUtils;

public class RecordDecisions {
    static final String[] RANGES = {
        "10.0.0.0/8", "10.1.2.3/8", "192.168.0.1/32", "0.0.0.0/0", "192.168.0.0/31", "010.001.0.0/16", "1.2.3.4/0",
        "10.0.0.0/33", "10.0.0.0/129", "10.0.0.0/abc", "10.0.0.0/", "/8", "/", "10.0.0/8", "10.0.0.0.0/8", "256.0.0.0/8",
        "10.0.0.999/8", "10.0.0.256/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8", " 10.0.0.0/8", "10.0.0.0/8/8",
        "example.com/test", "a.b.c.d/8", "10.0.0.0/08", "1000.0.0.0/8", "٣.0.0.0/8",
        "::/0", "::1/128", "2001:db8::/32", "2001:DB8:0:0:0:0:0:1/64", "fe80::1/10", "::1/129", "::1/-1", "::1/+64",
        "::1/064", "::1/", "::1/abc", "::1/ 64", "::1/64/64", "::1/2147483648", "1::2::3/64", ":/64", ":::/64", "1:2:3/64",
        "1:2:3:4:5:6:7:8/64", "1:2:3:4:5:6:7:8:9/64", "1:2:3:4:5:6:7::/64", "::2:3:4:5:6:7:8/64", "12345::/64", "g::/64",
        "00001::/64", "[::1]/64", "::ffff:10.0.0.1/104", "::ffff:a00:1/104", "::10.0.0.1/96", "::ffff:10.0.0.256/104",
        "fe80::1%1/64", "10.0.0.1:80/8", "1::10.0.0.1/64", "1:2:3:4:5:6:10.0.0.1/64", "1:2:3:4:5:6:7:10.0.0.1/64", "::1.2.3/64",
        "1:00000:0:0:0:0:0:2/64", "1:2:3:00000:5:00000:7:8/64", "000000::1/64", "::010.0.0.1/96", "::1%+1/64", "::1%/64", "[::1/64",
        "::1]/64", "[::1]%1/64", "::1%1]/64", "1:2:3:4:5:6:7:8::/64", "1::2:3:4:5:6:7:8/64", ":1:2:3:4:5:6:7/64", "1:2:3:4:5:6:7:/64",
    };
    static final String[] ADDRESSES = {
        "10.0.0.1", "10.255.255.255", "11.0.0.0", "0.0.0.0", "0.0.0.1", "255.255.255.255", "192.168.0.1", "192.168.0.0",
        "1.2.3.4", "::", "::1", "2001:db8::1", "2001:db9::1", "2001:db8:0:0:ffff:0:0:1", "fe80::1", "febf::1", "fec0::1",
        "::a00:1", "::ffff:10.0.0.1", "1:2:3:4:5:6:7:8", "1:2:3:4:0:0:0:9",
    };

    static final ResourceType[] TYPES = {ResourceType.TOPIC, ResourceType.GROUP, ResourceType.CLUSTER};
    static final String[] NAMES = {"a", "aa", "ab", "abc", "b", "*", "*a", "hardcode", "h", "é", "éa", "a-very-long-name"};
    static final String[] PATTERNS = {"a", "aa", "ab", "abc", "b", "*", "*a", "hardcode", "h", "é", "a-", "a-very-long-name"};
    static final String[] PRINCIPALS = {"User:x", "User:y", "User:x:y", "Role:x", "User:*", "Role:*", "User:root"};
    static final String[] HOSTS = {"*", "10.0.0.1", "10.0.0.0/30", "10.0.0.2", "0:0:0:0:0:0:0:1", "::1", "::/64", "example.com"};
    static final String[] PEERS = {"10.0.0.1", "10.0.0.2", "10.0.0.9", "::1", "2001:db8::1"};
    static final AclOperation[] OPERATIONS = {
        AclOperation.ALL, AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE, AclOperation.DELETE, AclOperation.ALTER,
        AclOperation.DESCRIBE, AclOperation.CLUSTER_ACTION, AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS,
        AclOperation.IDEMPOTENT_WRITE, AclOperation.CREATE_TOKENS, AclOperation.DESCRIBE_TOKENS, AclOperation.TWO_PHASE_COMMIT};

    static Random random = new Random(20);

    @SafeVarargs
    static <T> T any(T... all) {
        return all[random.nextInt(all.length)];
    }

    static void line(Object... fields) {
        StringJoiner joined = new StringJoiner("\t");
        for (Object field : fields) joined.add(String.valueOf(field));
        System.out.println(joined);
    }

    public static void main(String[] args) throws Exception {
        System.setOut(new java.io.PrintStream(System.out, true, "UTF-8"));
        for (String range : RANGES) {
            String said = "";
            try {
                CidrUtils.validate(range);
            } catch (IllegalArgumentException e) {
                said = e.getMessage();
            }
            line("range", range, said);
        }
        for (String address : ADDRESSES) {
            String text = InetAddress.getByName(address).getHostAddress();
            line("address", address, text);
            StringJoiner in = new StringJoiner(" ");
            for (String range : RANGES) if (CidrUtils.isInRange(text, range)) in.add(range);
            line("in", text, in);
        }
        for (int world = 0; world < 60; world++) world(world);
        wildcards();
    }

    // A literal rule of all names, and names that begin like it.
    static void wildcards() throws Exception {
        StandardAcl[] rules = {
            acl("*", PatternType.LITERAL, AclPermissionType.ALLOW), acl("*", PatternType.LITERAL, AclPermissionType.DENY),
            acl("*", PatternType.PREFIXED, AclPermissionType.ALLOW), acl("*", PatternType.PREFIXED, AclPermissionType.DENY),
            acl("*a", PatternType.LITERAL, AclPermissionType.ALLOW), acl("*a", PatternType.PREFIXED, AclPermissionType.ALLOW)};
        for (int chosen = 0; chosen < 1 << rules.length; chosen++) {
            StandardAuthorizer authorizer = authorizer(chosen % 3 == 0);
            for (int i = 0; i < rules.length; i++) if ((chosen & 1 << i) != 0) add(authorizer, rules[i]);
            authorizer.completeInitialLoad();
            for (String name : new String[] {"*", "*a", "*ab", "**", "*b", "a"}) ask(authorizer, client("User:x"), AclOperation.READ, ResourceType.GROUP, name);
        }
    }

    static StandardAcl acl(String name, PatternType pattern, AclPermissionType permission) {
        return new StandardAcl(ResourceType.GROUP, name, pattern, "User:x", "*", AclOperation.READ, permission);
    }

    static StandardAuthorizer authorizer(boolean everyone) {
        line("world", everyone);
        StandardAuthorizer authorizer = new StandardAuthorizer();
        authorizer.configure(Map.of("super.users", "User:root", "allow.everyone.if.no.acl.found", String.valueOf(everyone)));
        authorizer.withPluginMetrics(new PluginMetricsImpl(new Metrics(), Map.of()));
        return authorizer;
    }

    static void add(StandardAuthorizer authorizer, StandardAcl rule) {
        authorizer.addAcl(Uuid.randomUuid(), rule);
        line("rule", rule.resourceType().code(), rule.resourceName(), rule.patternType().code(), rule.principal(),
            rule.host(), rule.operation().code(), rule.permissionType().code());
    }

    static void ask(StandardAuthorizer authorizer, Client client, AclOperation operation, ResourceType type, String name) {
        Action action = new Action(operation, new ResourcePattern(type, name, PatternType.LITERAL), 1, true, true);
        AuthorizationResult result = authorizer.authorize(client, List.of(action)).get(0);
        line("ask", client.principal(), client.clientAddress().getHostAddress(), operation.code(), type.code(), name,
            result == AuthorizationResult.ALLOWED);
    }

    record Client(KafkaPrincipal principal, InetAddress clientAddress) implements AuthorizableRequestContext {
        public String listenerName() { return "L"; }
        public SecurityProtocol securityProtocol() { return SecurityProtocol.PLAINTEXT; }
        public int requestType() { return 0; }
        public int requestVersion() { return 0; }
        public String clientId() { return ""; }
        public int correlationId() { return 0; }
    }

    static Client client(String principal) throws Exception {
        if (principal.equals("User:*")) principal = "User:x";
        int colon = principal.indexOf(':');
        String type = principal.substring(0, colon), name = principal.substring(colon + 1);
        return new Client(new KafkaPrincipal(type, name), InetAddress.getByName(any(PEERS)));
    }

    static void world(int number) throws Exception {
        boolean everyone = random.nextInt(3) == 0;
        StandardAuthorizer authorizer = authorizer(everyone);
        Set<StandardAcl> rules = new LinkedHashSet<>();
        int count = random.nextInt(number % 3 == 0 ? 4 : 16);
        // Few operations, so that rules meet.
        AclOperation[] few = {AclOperation.ALL, any(OPERATIONS), any(OPERATIONS), any(OPERATIONS)};
        for (int i = 0; i < count; i++) {
            rules.add(new StandardAcl(any(TYPES), any(PATTERNS), any(PatternType.LITERAL, PatternType.PREFIXED),
                any(PRINCIPALS), any("*", any(HOSTS)), any(few), any(AclPermissionType.ALLOW, AclPermissionType.ALLOW, AclPermissionType.DENY)));
        }
        for (StandardAcl rule : rules) add(authorizer, rule);
        authorizer.completeInitialLoad();
        for (int i = 0; i < 40; i++) {
            AclOperation operation = any(any(OPERATIONS), any(few), AclOperation.DESCRIBE);
            if (operation == AclOperation.ALL) continue;
            Client client = client(any(PRINCIPALS));
            ResourceType type = any(TYPES);
            ask(authorizer, client, operation, type, any(NAMES));
        }
        for (int i = 0; i < 12; i++) {
            AclOperation operation = any(few);
            if (operation == AclOperation.ALL) operation = AclOperation.WRITE;
            Client client = client(any(PRINCIPALS));
            ResourceType type = any(TYPES);
            AuthorizationResult result = authorizer.authorizeByResourceType(client, operation, type);
            line("any", client.principal(), client.clientAddress().getHostAddress(), operation.code(), type.code(),
                result == AuthorizationResult.ALLOWED);
        }
    }
}

// Prints what Apache Kafka's own classes answer: `java -cp 'kafka-4.4.0/libs/*' QuotaTranscript.java rate > rate.txt`, then
// with `bucket` and `lookup`.
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.metrics.*;
import org.apache.kafka.common.metrics.stats.*;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.config.ClientQuotaManagerConfig;
import org.apache.kafka.server.quota.*;

class QuotaTranscript {
    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "rate" -> rate();
            case "bucket" -> bucket();
            default -> lookup();
        }
    }

    static MetricConfig config(int samples, int window, double limit) {
        return new MetricConfig().timeWindow(window, TimeUnit.SECONDS).samples(samples).quota(new Quota(limit, true));
    }

    static void rate() {
        Random random = new Random(1);
        for (int round = 0; round < 120; round++) {
            int samples = round % 3 == 0 ? 11 : 1 + random.nextInt(12), window = round % 3 == 0 ? 1 : 1 + random.nextInt(3);
            double limit = 1 + random.nextInt(5000);
            System.out.println("R " + samples + " " + window + " " + limit);
            Rate rate = new Rate();
            MetricConfig config = config(samples, window, limit);
            long now = 1000000;
            int pace = 1 + random.nextInt(3000);
            for (int step = 0; step < 50; step++) {
                now += random.nextInt(pace);
                if (random.nextInt(40) == 0) now += random.nextInt(40000);
                double value = random.nextInt(20) == 0 ? random.nextInt(100000) : random.nextInt(3000) / 2.0;
                rate.record(config, value, now);
                double measured = rate.measure(config, now);
                // As `Sensor.checkQuotas` and `QuotaUtils.throttleTime`.
                long throttle = measured <= limit ? 0 : Math.round((measured - limit) / limit * rate.windowSize(config, now));
                System.out.println("c " + now + " " + value + " " + rate.measure(config, now) + " " + throttle);
                if (throttle > 0 && random.nextBoolean()) {
                    rate.record(config, -value, now);
                    System.out.println("u " + now + " " + value);
                } else if (random.nextBoolean()) {
                    now += throttle;
                }
            }
        }
    }

    static void bucket() {
        Random random = new Random(2);
        for (int round = 0; round < 100; round++) {
            int samples = round % 3 == 0 ? 11 : 1 + random.nextInt(12), window = round % 3 == 0 ? 1 : 1 + random.nextInt(3);
            double limit = (1 + random.nextInt(200)) / 10.0;
            System.out.println("B " + samples + " " + window + " " + limit);
            TokenBucket bucket = new TokenBucket();
            MetricConfig config = config(samples, window, limit);
            long now = 1000000;
            for (int step = 0; step < 50; step++) {
                now += random.nextInt(4) == 0 ? random.nextInt(20000) : random.nextInt(500);
                double value = random.nextInt(10) == 0 ? random.nextInt(500) : random.nextInt(10);
                boolean strict = random.nextInt(3) > 0;
                double tokens = bucket.measure(config, now);
                if (!strict || tokens >= 0) bucket.record(config, value, now);
                if (!strict) tokens = bucket.measure(config, now);
                long throttle = tokens < 0 ? Math.round(-tokens / limit * 1000) : 0;
                System.out.println((strict ? "s " : "p ") + now + " " + value + " " + throttle);
            }
        }
    }

    // Each subset of the eight kinds of entities, each with a limit of its own: whose budget a client uses, and how much it is.
    static void lookup() throws Exception {
        String[] users = {"u", "d", "-"}, clients = {"c", "d", "-"};
        List<String[]> entities = new ArrayList<>();
        for (String user : users) for (String client : clients)
            if (!(user.equals("-") && client.equals("-"))) entities.add(new String[] {user, client});
        for (int subset = 0; subset < 256; subset++) {
            ClientQuotaManager manager = new ClientQuotaManager(new ClientQuotaManagerConfig(), new Metrics(), QuotaType.PRODUCE, Time.SYSTEM, "");
            for (int at = 0; at < 8; at++) {
                if ((subset & (1 << at)) == 0) continue;
                String user = entities.get(at)[0], client = entities.get(at)[1];
                Optional<org.apache.kafka.server.quota.ClientQuotaEntity.ConfigEntity> u = switch (user) {
                    case "u" -> Optional.of(new ClientQuotaManager.UserEntity("u"));
                    case "d" -> Optional.of(ClientQuotaManager.DEFAULT_USER_ENTITY);
                    default -> Optional.empty();
                };
                Optional<org.apache.kafka.server.quota.ClientQuotaEntity.ConfigEntity> c = switch (client) {
                    case "c" -> Optional.of(new ClientQuotaManager.ClientIdEntity("c"));
                    case "d" -> Optional.of(ClientQuotaManager.DEFAULT_USER_CLIENT_ID);
                    default -> Optional.empty();
                };
                manager.updateQuota(u, c, Optional.of(new Quota(at + 1, true)));
            }
            for (String user : new String[] {"u", "v"}) for (String client : new String[] {"c", "e", ""}) {
                var session = new org.apache.kafka.network.Session(new KafkaPrincipal("User", user), java.net.InetAddress.getLoopbackAddress());
                Map<String, String> tags = manager.getOrCreateQuotaSensors(session, client).metricTags();
                double limit = manager.quota(user, client).bound();
                System.out.println(subset + " " + user + "/" + client + " " + tags.get("user") + "/" + tags.get("client-id") + " " + (limit == Long.MAX_VALUE ? "none" : (int) limit));
            }
            manager.shutdown();
        }
    }
}

import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * A Kafka Streams application with exactly_once_v2: `BOOTSTRAP STATE_DIRECTORY`. An order (key: its number, value:
 * "CUSTOMER AMOUNT") goes through a repartition to its customer, is joined with the table of customers' names, and is added
 * to the customer's total in a store. Each order gives one record in `named` (key: its number, value: "NAME AMOUNT") and
 * one in `totals` (key: the customer, value: "NUMBER_OF_ORDERS SUM"). Tells its states; ends when its input ends.
 */
public final class Totals {
    private static void topology(StreamsBuilder builder) {
        KTable<String, String> names =
            builder.table("customers", Consumed.with(Serdes.String(), Serdes.String()), Materialized.as("names"));
        KStream<String, String> joined = builder.stream("orders", Consumed.with(Serdes.String(), Serdes.String()))
            .map((order, value) -> {
                String[] parts = value.split(" ");
                return org.apache.kafka.streams.KeyValue.pair(parts[0], order + " " + parts[1]);
            })
            .repartition(Repartitioned.<String, String>as("by-customer")
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.String()).withNumberOfPartitions(4))
            .leftJoin(names, (order, name) -> order + " " + name);
        joined.map((customer, order) -> {
            String[] parts = order.split(" ");
            return org.apache.kafka.streams.KeyValue.pair(parts[0], parts[2] + " " + parts[1]);
        }).to("named", Produced.with(Serdes.String(), Serdes.String()));
        joined.groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
            .aggregate(() -> "0 0", (customer, order, total) -> {
                String[] parts = total.split(" ");
                long amount = Long.parseLong(order.split(" ")[1]);
                return (Long.parseLong(parts[0]) + 1) + " " + (Long.parseLong(parts[1]) + amount);
            }, Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as("totals")
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.String()))
            .toStream().to("totals", Produced.with(Serdes.String(), Serdes.String()));
    }

    public static void main(String[] arguments) throws Exception {
        Properties config = new Properties();
        config.put("application.id", "totals");
        config.put("bootstrap.servers", arguments[0]);
        config.put("state.dir", arguments[1]);
        config.put("processing.guarantee", StreamsConfig.EXACTLY_ONCE_V2);
        // Each update of the store gives a record, so that they can be counted.
        config.put("statestore.cache.max.bytes", 0);
        // So that a process that dies leaves records in an open transaction.
        config.put("commit.interval.ms", 500);
        config.put("producer.linger.ms", 5);
        config.put("num.stream.threads", 1);
        config.put("replication.factor", 1);
        config.put("main.consumer.session.timeout.ms", 6000);
        config.put("main.consumer.heartbeat.interval.ms", 1000);
        config.put("reconnect.backoff.max.ms", 200);
        StreamsBuilder builder = new StreamsBuilder();
        topology(builder);
        KafkaStreams streams = new KafkaStreams(builder.build(), config);
        streams.setStateListener((now, before) -> System.out.println("state " + now));
        streams.setUncaughtExceptionHandler(error -> {
            System.out.println("error " + error);
            error.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse
                .REPLACE_THREAD;
        });
        streams.start();
        while (System.in.read() >= 0) {
        }
        boolean closed = streams.close(Duration.ofSeconds(30));
        System.out.println(closed ? "closed" : "not closed in time");
        Runtime.getRuntime().halt(closed ? 0 : 1);
    }
}

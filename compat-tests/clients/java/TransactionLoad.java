import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The benchmark's load of transactions by Java's clients with their defaults. `TransactionLoad produce BOOTSTRAP TOPIC WARM
 * SECONDS PRODUCERS RECORDS`: each producer sends one transaction of so many records after the other. `TransactionLoad copy
 * BOOTSTRAP TOPIC WARM SECONDS OUT RECORDS`: reads the topic in a group, and writes each record to another topic and the offsets
 * of so many records at most in one transaction. What is done in the first `WARM` seconds does not count. The last line that it
 * prints is one JSON object.
 */
public final class TransactionLoad {
    private static final int VALUE_BYTES = 100;
    /** When no more input comes for so long, all of it was read. */
    private static final Duration END_OF_INPUT = Duration.ofSeconds(5);

    /** What one thread has done, and how long each of its commits took that counts. */
    private static final class Share {
        private final List<Long> commits = new ArrayList<>();
        private long transactions;
        private long records;
        private long allTransactions;
        private long allRecords;

        void add(long records, long commitNanos, boolean counts) {
            allTransactions++;
            allRecords += records;
            if (counts) {
                transactions++;
                this.records += records;
                commits.add(commitNanos);
            }
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(String bootstrap, String id) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("transactional.id", id);
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
        producer.initTransactions();
        return producer;
    }

    /**
     * Waits for the records first. `Sender` asks whether there are any before it looks for the wish to end the transaction:
     * what comes in between is forgotten now and then, and either broker answers INVALID_TXN_STATE to an end without records.
     */
    private static long commit(KafkaProducer<byte[], byte[]> producer) {
        producer.flush();
        long began = System.nanoTime();
        producer.commitTransaction();
        return System.nanoTime() - began;
    }

    private static void produce(KafkaProducer<byte[], byte[]> producer, String topic, int records, long counted, long until,
        Share share) {
        byte[] value = new byte[VALUE_BYTES];
        while (System.nanoTime() < until) {
            boolean counts = System.nanoTime() >= counted;
            producer.beginTransaction();
            for (int i = 0; i < records; i++)
                producer.send(new ProducerRecord<>(topic, value));
            share.add(records, commit(producer), counts);
        }
    }

    private static List<Share> produce(String bootstrap, String topic, double warm, double seconds, int producers, int records)
        throws InterruptedException {
        List<Share> shares = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        CountDownLatch ready = new CountDownLatch(producers);
        for (int n = 0; n < producers; n++) {
            Share share = new Share();
            shares.add(share);
            String id = "java-" + topic + "-" + n;
            Thread thread = new Thread(() -> {
                try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, id)) {
                    ready.countDown();
                    ready.await();
                    long counted = System.nanoTime() + (long) (warm * 1e9);
                    produce(producer, topic, records, counted, counted + (long) (seconds * 1e9), share);
                } catch (Exception failure) {
                    failure.printStackTrace();
                    System.exit(1);
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads)
            thread.join();
        return shares;
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String group, int records) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("group.id", group);
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        config.put("isolation.level", "read_committed");
        config.put("max.poll.records", Integer.toString(records));
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static Share copy(String bootstrap, String topic, double warm, double seconds, String out, int most) {
        Share share = new Share();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(bootstrap, "copy-" + topic, most);
            KafkaProducer<byte[], byte[]> producer = producer(bootstrap, "copy-" + topic)) {
            consumer.subscribe(List.of(topic));
            ConsumerRecords<byte[], byte[]> records;
            do
                records = consumer.poll(Duration.ofMillis(100));
            while (records.isEmpty());
            long counted = System.nanoTime() + (long) (warm * 1e9);
            long until = counted + (long) (seconds * 1e9);
            while (!records.isEmpty() && System.nanoTime() < until) {
                boolean counts = System.nanoTime() >= counted;
                producer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    producer.send(new ProducerRecord<>(out, record.key(), record.value()));
                    offsets.put(new TopicPartition(topic, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                share.add(records.count(), commit(producer), counts);
                records = consumer.poll(END_OF_INPUT);
            }
            if (records.isEmpty())
                throw new IllegalStateException("the input ended before the time");
        }
        return share;
    }

    private static double micros(long[] sorted, double quantile) {
        return sorted[(int) Math.min(sorted.length - 1, (long) (sorted.length * quantile))] / 1e3;
    }

    private static void print(List<Share> shares, double seconds) {
        long[] commits = shares.stream().flatMap(share -> share.commits.stream()).mapToLong(Long::longValue).sorted().toArray();
        long transactions = shares.stream().mapToLong(share -> share.transactions).sum();
        long records = shares.stream().mapToLong(share -> share.records).sum();
        System.out.printf("{\"seconds\":%.6f,\"transactions\":%d,\"records\":%d,\"all_transactions\":%d,\"all_records\":%d,"
                + "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f}%n",
            seconds, transactions, records, shares.stream().mapToLong(share -> share.allTransactions).sum(),
            shares.stream().mapToLong(share -> share.allRecords).sum(), micros(commits, 0.5), micros(commits, 0.99),
            micros(commits, 0.999), micros(commits, 1));
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[1];
        String topic = arguments[2];
        double warm = Double.parseDouble(arguments[3]);
        double seconds = Double.parseDouble(arguments[4]);
        int records = Integer.parseInt(arguments[6]);
        List<Share> shares = switch (arguments[0]) {
            case "produce" -> produce(bootstrap, topic, warm, seconds, Integer.parseInt(arguments[5]), records);
            case "copy" -> List.of(copy(bootstrap, topic, warm, seconds, arguments[5], records));
            default -> throw new IllegalArgumentException(arguments[0]);
        };
        print(shares, seconds);
    }
}

import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.ConcurrentMessageListenerContainer;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.DefaultAfterRollbackProcessor;
import org.springframework.kafka.listener.MessageListener;
import org.springframework.kafka.transaction.KafkaTransactionManager;
import org.springframework.util.backoff.FixedBackOff;

/**
 * Transactions of spring-kafka: `BOOTSTRAP RECORDS`. A template writes the numbers below RECORDS to `in`, ten in each
 * transaction; beside each of these goes one that an exception rolls back ("lost"). A listener container with a transaction
 * manager writes each of them to `out` (value: "N-ok") within the transaction in which its offset is committed; of every
 * seventh its listener throws at first, behind the write. Tells what it did and ends.
 */
public final class SpringLoop {
    private static final int IN_ONE = 10;

    private static KafkaTemplate<String, String> template(String bootstrap, String prefix) {
        DefaultKafkaProducerFactory<String, String> factory = new DefaultKafkaProducerFactory<>(Map.of(
            "bootstrap.servers", bootstrap,
            "key.serializer", StringSerializer.class,
            "value.serializer", StringSerializer.class));
        factory.setTransactionIdPrefix(prefix);
        return new KafkaTemplate<>(factory);
    }

    private static int write(KafkaTemplate<String, String> template, int records) {
        int rolledBack = 0;
        for (int first = 0; first < records; first += IN_ONE) {
            int begin = first;
            template.executeInTransaction(sender -> {
                for (int number = begin; number < begin + IN_ONE; number++) {
                    sender.send("in", String.valueOf(number), String.valueOf(number));
                }
                return null;
            });
            try {
                template.executeInTransaction(sender -> {
                    sender.send("in", String.valueOf(begin), "lost").join();
                    throw new IllegalStateException("on purpose");
                });
            } catch (IllegalStateException onPurpose) {
                rolledBack++;
            }
        }
        return rolledBack;
    }

    private static ConcurrentMessageListenerContainer<String, String> container(
            String bootstrap, KafkaTemplate<String, String> loop, MessageListener<String, String> listener) {
        DefaultKafkaConsumerFactory<String, String> consumers = new DefaultKafkaConsumerFactory<>(Map.of(
            "bootstrap.servers", bootstrap,
            "group.id", "spring",
            "isolation.level", "read_committed",
            "auto.offset.reset", "earliest",
            "key.deserializer", StringDeserializer.class,
            "value.deserializer", StringDeserializer.class));
        ContainerProperties properties = new ContainerProperties("in");
        properties.setKafkaAwareTransactionManager(new KafkaTransactionManager<>(loop.getProducerFactory()));
        properties.setMessageListener(listener);
        ConcurrentMessageListenerContainer<String, String> container =
            new ConcurrentMessageListenerContainer<>(consumers, properties);
        container.setConcurrency(2);
        container.setAfterRollbackProcessor(new DefaultAfterRollbackProcessor<>(new FixedBackOff(0, 20)));
        return container;
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        int records = Integer.parseInt(arguments[1]);
        KafkaTemplate<String, String> writer = template(bootstrap, "spring-writer-");
        int rolledBack = write(writer, records);
        KafkaTemplate<String, String> loop = template(bootstrap, "spring-loop-");
        Set<String> failed = ConcurrentHashMap.newKeySet();
        Set<String> done = ConcurrentHashMap.newKeySet();
        CountDownLatch left = new CountDownLatch(1);
        ConcurrentMessageListenerContainer<String, String> container = container(bootstrap, loop, record -> {
            CompletableFuture<?> sent = loop.send("out", record.key(), record.value() + "-ok");
            if (Integer.parseInt(record.value()) % 7 == 0 && failed.add(record.value())) {
                // It is in the log and not only in the producer's buffer.
                sent.join();
                throw new IllegalStateException("on purpose");
            }
            done.add(record.value());
            if (done.size() == records) {
                left.countDown();
            }
        });
        container.start();
        boolean isDone = left.await(60, TimeUnit.SECONDS);
        container.stop();
        loop.destroy();
        writer.destroy();
        System.out.println("rolled back " + rolledBack + ", failed " + failed.size() + ", done " + done.size());
        System.exit(isDone ? 0 : 1);
    }
}

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataDelta;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;

/** The topics that a coordinator sees at one moment, by name. */
record TopicsImage(Map<String, ? extends CoordinatorMetadataImage.TopicMetadata> topics, long version)
    implements CoordinatorMetadataImage {
    @Override
    public Set<Uuid> topicIds() {
        return topics.values().stream().map(TopicMetadata::id).collect(Collectors.toSet());
    }

    @Override
    public Set<String> topicNames() {
        return topics.keySet();
    }

    @Override
    public Optional<TopicMetadata> topicMetadata(String name) {
        return Optional.ofNullable(topics.get(name));
    }

    @Override
    public Optional<TopicMetadata> topicMetadata(Uuid id) {
        return topics.values().stream().filter(topic -> topic.id().equals(id)).map(topic -> (TopicMetadata) topic).findFirst();
    }

    @Override
    public CoordinatorMetadataDelta emptyDelta() {
        return CoordinatorMetadataDelta.EMPTY;
    }

    @Override
    public boolean isEmpty() {
        return topics.isEmpty();
    }
}

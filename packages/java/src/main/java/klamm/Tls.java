package klamm;

import java.nio.file.Path;
import java.util.Map;

/**
 * Throw-away certificates of a broker with TLS.
 *
 * @param caPem the authority's certificate
 * @param clientPem a client's certificate
 * @param clientKey its key
 * @param clientP12 both as PKCS12
 * @param clientJks both as JKS
 * @param truststoreP12 the authority's certificate as PKCS12
 * @param truststoreJks the authority's certificate as JKS
 * @param password of the PKCS12 and JKS stores
 */
public record Tls(
        Path caPem, Path clientPem, Path clientKey, Path clientP12, Path clientJks, Path truststoreP12, Path truststoreJks, String password) {
    static Tls of(Map<String, Object> paths) {
        return new Tls(
                path(paths, "ca_pem"),
                path(paths, "client_pem"),
                path(paths, "client_key"),
                path(paths, "client_p12"),
                path(paths, "client_jks"),
                path(paths, "truststore_p12"),
                path(paths, "truststore_jks"),
                (String) paths.get("password"));
    }

    private static Path path(Map<String, Object> paths, String name) {
        return Path.of((String) paths.get(name));
    }
}

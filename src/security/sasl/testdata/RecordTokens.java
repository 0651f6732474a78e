// Signs tokens with jose4j, lets BrokerJwtValidator of Apache Kafka judge them, and prints tokens-4.4.0.tsv.
//
// Usage: java -cp '/path/to/kafka-4.4.0/libs/*' RecordTokens.java > tokens-4.4.0.tsv
//
// Lines: "jwks NAME JSON", and "token NAME JWKS SETTINGS TOKEN RESULT" with "ok PRINCIPAL EXPIRES_MS" or "no". The time is NOW.
// Settings are those of sasl.oauthbearer.* that differ from: audience a, issuer i, 30 seconds of clock skew, scope, sub.

import java.io.File;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.security.spec.*;
import java.util.*;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.config.SaslConfigs;
import org.apache.kafka.common.security.oauthbearer.*;
import org.jose4j.base64url.Base64Url;
import org.jose4j.jwk.*;
import org.jose4j.jws.*;
import org.jose4j.jwt.NumericDate;
import org.jose4j.jwt.consumer.*;
import org.jose4j.keys.*;

public class RecordTokens {
    static final long NOW = 1_700_000_000L;
    static final Map<String, PublicJsonWebKey> keys = new LinkedHashMap<>();
    static final Map<String, String> sets = new LinkedHashMap<>();
    static Path folder;

    static PublicJsonWebKey named(String name, PublicJsonWebKey key) {
        key.setKeyId(name);
        keys.put(name, key);
        return key;
    }

    static String json(String... names) {
        StringJoiner joined = new StringJoiner(",", "{\"keys\":[", "]}");
        for (String name : names) joined.add(keys.get(name).toJson());
        return joined.toString();
    }

    static void set(String name, String json) {
        sets.put(name, json);
        System.out.println("jwks\t" + name + "\t" + json);
    }

    static String part(String text) {
        return Base64Url.encode(text.getBytes(StandardCharsets.UTF_8));
    }

    /** A token with exactly this header and these claims. */
    static String sign(String alg, Key key, String header, String claims) throws Exception {
        JsonWebSignature jws = new JsonWebSignature();
        jws.setAlgorithmConstraints(org.jose4j.jwa.AlgorithmConstraints.NO_CONSTRAINTS);
        jws.setDoKeyValidation(false);
        jws.getHeaders().setFullHeaderAsJsonString(header.isEmpty() ? "{\"alg\":\"" + alg + "\"}" : header);
        jws.setPayload(claims);
        jws.setKey(key);
        return jws.getCompactSerialization();
    }

    static String sign(String alg, String kid, String claims) throws Exception {
        return sign(alg, keys.get(kid).getPrivateKey(), "{\"alg\":\"" + alg + "\",\"kid\":\"" + kid + "\"}", claims);
    }

    static String good = "{\"sub\":\"alice\",\"aud\":\"a\",\"iss\":\"i\",\"iat\":" + (NOW - 100) + ",\"exp\":" + (NOW + 100) + "}";

    /** Claims without what is named, and with more. */
    static String claims(String without, String more) {
        StringJoiner all = new StringJoiner(",", "{", "}");
        if (!without.contains("sub")) all.add("\"sub\":\"alice\"");
        if (!without.contains("aud")) all.add("\"aud\":\"a\"");
        if (!without.contains("iss")) all.add("\"iss\":\"i\"");
        if (!without.contains("iat")) all.add("\"iat\":" + (NOW - 100));
        if (!without.contains("exp")) all.add("\"exp\":" + (NOW + 100));
        if (!more.isEmpty()) all.add(more);
        return all.toString();
    }

    @SuppressWarnings("unchecked")
    static BrokerJwtValidator validator(String jwks, String settings) throws Exception {
        Path file = folder.resolve(jwks.replace(' ', '_') + ".json");
        Files.writeString(file, sets.get(jwks));
        Map<String, Object> configs = new HashMap<>();
        configs.put(SaslConfigs.SASL_OAUTHBEARER_JWKS_ENDPOINT_URL, "file:" + file);
        configs.put(SaslConfigs.SASL_OAUTHBEARER_EXPECTED_AUDIENCE, List.of("a"));
        configs.put(SaslConfigs.SASL_OAUTHBEARER_EXPECTED_ISSUER, "i");
        configs.put(SaslConfigs.SASL_OAUTHBEARER_CLOCK_SKEW_SECONDS, 30);
        configs.put(SaslConfigs.SASL_OAUTHBEARER_SCOPE_CLAIM_NAME, "scope");
        configs.put(SaslConfigs.SASL_OAUTHBEARER_SUB_CLAIM_NAME, "sub");
        for (String setting : settings.split(";")) {
            String value = setting.substring(setting.indexOf('=') + 1);
            switch (setting.split("=")[0]) {
                case "" -> { }
                case "audience" -> {
                    configs.put(SaslConfigs.SASL_OAUTHBEARER_EXPECTED_AUDIENCE, value.isEmpty() ? List.of() : List.of(value.split(",")));
                    configs.put("sasl.oauthbearer.allow.unverified.audience", value.isEmpty());
                }
                case "issuer" -> {
                    configs.put(SaslConfigs.SASL_OAUTHBEARER_EXPECTED_ISSUER, value.isEmpty() ? null : value);
                    configs.put("sasl.oauthbearer.allow.unverified.issuer", value.isEmpty());
                }
                case "skew" -> configs.put(SaslConfigs.SASL_OAUTHBEARER_CLOCK_SKEW_SECONDS, Integer.valueOf(value));
                case "scope" -> configs.put(SaslConfigs.SASL_OAUTHBEARER_SCOPE_CLAIM_NAME, value);
                case "sub" -> configs.put(SaslConfigs.SASL_OAUTHBEARER_SUB_CLAIM_NAME, value);
                default -> throw new Exception(setting);
            }
        }
        System.setProperty("org.apache.kafka.sasl.oauthbearer.allowed.urls", "file:" + file);
        BrokerJwtValidator validator = new BrokerJwtValidator();
        AppConfigurationEntry entry = new AppConfigurationEntry("m", AppConfigurationEntry.LoginModuleControlFlag.REQUIRED, Map.of());
        validator.configure(configs, "OAUTHBEARER", List.of(entry));
        Field consumer = BrokerJwtValidator.class.getDeclaredField("jwtConsumer");
        consumer.setAccessible(true);
        Field validators = JwtConsumer.class.getDeclaredField("validators");
        validators.setAccessible(true);
        for (Object one : (List<Object>) validators.get(consumer.get(validator)))
            if (one instanceof NumericDateValidator) ((NumericDateValidator) one).setEvaluationTime(NumericDate.fromSeconds(NOW));
        return validator;
    }

    static void token(String name, String jwks, String settings, String token) throws Exception {
        String result;
        try {
            OAuthBearerToken judged = validator(jwks, settings).validate(token);
            result = "ok\t" + judged.principalName() + "\t" + judged.lifetimeMs();
        } catch (Exception e) {
            result = "no\t" + e.getClass().getSimpleName() + "\t" + String.valueOf(e.getMessage()).replaceAll("[\\s]+", " ").replaceAll("(.{160}).*", "$1");
        }
        System.out.println("token\t" + name + "\t" + jwks + "\t" + settings + "\t" + token + "\t" + result);
    }

    static void good(String name, String settings, String claims) throws Exception {
        token(name, "all", settings, sign("ES256", "p256", claims));
    }

    public static void main(String[] args) throws Exception {
        folder = Files.createTempDirectory("tokens");
        System.setOut(new java.io.PrintStream(System.out, true, "UTF-8"));
        named("rsa", RsaJwkGenerator.generateJwk(2048));
        named("rsa3072", RsaJwkGenerator.generateJwk(3072));
        KeyPairGenerator small = KeyPairGenerator.getInstance("RSA");
        small.initialize(1024);
        KeyPair weak = small.generateKeyPair();
        PublicJsonWebKey rsa1024 = named("rsa1024", PublicJsonWebKey.Factory.newPublicJwk(weak.getPublic()));
        rsa1024.setPrivateKey(weak.getPrivate());
        named("p256", EcJwkGenerator.generateJwk(EllipticCurves.P256));
        named("p384", EcJwkGenerator.generateJwk(EllipticCurves.P384));
        named("p521", EcJwkGenerator.generateJwk(EllipticCurves.P521));
        named("ed25519", OkpJwkGenerator.generateJwk(OctetKeyPairJsonWebKey.SUBTYPE_ED25519));
        named("ed448", OkpJwkGenerator.generateJwk(OctetKeyPairJsonWebKey.SUBTYPE_ED448));
        String[] all = keys.keySet().toArray(new String[0]);
        byte[] shared = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".getBytes();
        String oct = "{\"kty\":\"oct\",\"kid\":\"oct\",\"k\":\"" + Base64Url.encode(shared) + "\"}";
        set("all", json(all).replace("]}", "," + oct + "]}"));
        set("none", "{\"keys\":[]}");

        String[][] algorithms = {
            {"RS256", "rsa"}, {"RS384", "rsa"}, {"RS512", "rsa"}, {"PS256", "rsa"}, {"PS384", "rsa"}, {"PS512", "rsa"},
            {"RS256", "rsa3072"}, {"PS512", "rsa3072"}, {"RS256", "rsa1024"}, {"ES256", "p256"}, {"ES384", "p384"}, {"ES512", "p521"},
            {"EdDSA", "ed25519"}, {"EdDSA", "ed448"},
        };
        for (String[] one : algorithms) {
            String signed = sign(one[0], one[1], good);
            token(one[0] + " " + one[1], "all", "", signed);
            // Another payload, another header, half a signature, another byte in it.
            String[] parts = signed.split("\\.");
            token(one[0] + " " + one[1] + " other claims", "all", "", parts[0] + "." + part(good.replace("alice", "root")) + "." + parts[2]);
            byte[] signature = Base64Url.decode(parts[2]);
            token(one[0] + " " + one[1] + " half", "all", "", parts[0] + "." + parts[1] + "." + Base64Url.encode(Arrays.copyOf(signature, signature.length / 2)));
            token(one[0] + " " + one[1] + " longer", "all", "", parts[0] + "." + parts[1] + "." + Base64Url.encode(Arrays.copyOf(signature, signature.length + 2)));
            signature[signature.length / 3] ^= 1;
            token(one[0] + " " + one[1] + " other signature", "all", "", parts[0] + "." + parts[1] + "." + Base64Url.encode(signature));
            token(one[0] + " " + one[1] + " zeros", "all", "", parts[0] + "." + parts[1] + "." + Base64Url.encode(new byte[signature.length]));
        }
        // What is not signed by the key of its kind.
        Key rsa = keys.get("rsa").getPrivateKey(), p256 = keys.get("p256").getPrivateKey();
        token("none", "all", "", part("{\"alg\":\"none\"}") + "." + part(good) + ".");
        token("none with a signature", "all", "", part("{\"alg\":\"none\",\"kid\":\"rsa\"}") + "." + part(good) + ".AA");
        token("None", "all", "", part("{\"alg\":\"None\",\"kid\":\"rsa\"}") + "." + part(good) + ".AA");
        token("HS256 oct", "all", "", sign("HS256", new HmacKey(shared), "{\"alg\":\"HS256\",\"kid\":\"oct\"}", good));
        byte[] modulus = keys.get("rsa").getPublicKey().getEncoded();
        token("HS256 with the RSA key", "all", "", sign("HS256", new HmacKey(modulus), "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", good));
        token("HS256 with the RSA key without kid", "all", "", sign("HS256", new HmacKey(modulus), "", good));
        byte[] n = Base64Url.decode((String) keys.get("rsa").toParams(JsonWebKey.OutputControlLevel.PUBLIC_ONLY).get("n"));
        token("HS256 with the modulus", "all", "", sign("HS256", new HmacKey(n), "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", good));
        token("RS256 said to be PS256", "all", "", sign("RS256", "rsa", good).replace(part("{\"alg\":\"RS256\",\"kid\":\"rsa\"}"), part("{\"alg\":\"PS256\",\"kid\":\"rsa\"}")));
        token("ES256 by the kid of RSA", "all", "", sign("ES256", p256, "{\"alg\":\"ES256\",\"kid\":\"rsa\"}", good));
        token("ES256 by the kid of P-384", "all", "", sign("ES256", p256, "{\"alg\":\"ES256\",\"kid\":\"p384\"}", good));
        token("RS256 by the kid of P-256", "all", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"kid\":\"p256\"}", good));
        token("EdDSA by the kid of P-256", "all", "", sign("EdDSA", keys.get("ed25519").getPrivateKey(), "{\"alg\":\"EdDSA\",\"kid\":\"p256\"}", good));
        token("another key of the kid", "all", "", sign("RS256", keys.get("rsa3072").getPrivateKey(), "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", good));
        token("unknown kid", "all", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"kid\":\"other\"}", good));
        token("no kid", "all", "", sign("RS256", rsa, "", good));
        token("no kid, the second key", "all", "", sign("RS256", keys.get("rsa3072").getPrivateKey(), "", good));
        token("no kid, ES384 by its curve", "all", "", sign("ES384", keys.get("p384").getPrivateKey(), "", good));
        token("no kid, ES512 by its curve", "all", "", sign("ES512", keys.get("p521").getPrivateKey(), "", good));
        token("no kid, EdDSA", "all", "", sign("EdDSA", keys.get("ed25519").getPrivateKey(), "", good));
        token("no keys", "none", "", sign("RS256", "rsa", good));
        token("no alg", "all", "", part("{\"kid\":\"rsa\"}") + "." + part(good) + ".AA");
        token("unknown alg", "all", "", part("{\"alg\":\"RS257\",\"kid\":\"rsa\"}") + "." + part(good) + ".AA");
        token("kid is a number", "all", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"kid\":7}", good));
        token("kid is null", "all", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"kid\":null}", good));
        token("crit", "all", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"x\"],\"x\":1}", good));
        token("crit is no list", "all", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":\"x\"}", good));
        token("crit is empty", "all", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[]}", good));
        token("typ", "all", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}", good));
        token("cty", "all", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"cty\":\"JWT\"}", good));
        token("jwk in the header", "all", "", sign("ES256", EcJwkGenerator.generateJwk(EllipticCurves.P256).getPrivateKey(), "{\"alg\":\"ES256\",\"kid\":\"p256\",\"jwk\":" + keys.get("p256").toJson() + "}", good));

        // Which key is chosen.
        String rsaJson = keys.get("rsa").toJson(), otherJson = keys.get("rsa3072").toJson();
        String bare = rsaJson.replace(",\"kid\":\"rsa\"", "");
        String signed = sign("RS256", rsa, "", good), byKid = sign("RS256", "rsa", good);
        set("for encryption", "{\"keys\":[" + rsaJson.replace("}", ",\"use\":\"enc\"}") + "]}");
        set("for signatures", "{\"keys\":[" + otherJson.replace("}", ",\"use\":\"enc\"}") + "," + bare.replace("}", ",\"use\":\"sig\"}") + "]}");
        set("other alg first", "{\"keys\":[" + otherJson.replace("}", ",\"alg\":\"PS256\"}") + "," + rsaJson.replace("}", ",\"alg\":\"RS256\"}") + "]}");
        set("alone with another alg", "{\"keys\":[" + rsaJson.replace("}", ",\"alg\":\"PS256\"}") + "]}");
        set("ops", "{\"keys\":[" + otherJson.replace("}", ",\"key_ops\":[\"encrypt\"]}") + "," + rsaJson.replace("}", ",\"key_ops\":[\"sign\",\"verify\"]}") + "]}");
        set("ops are empty", "{\"keys\":[" + rsaJson.replace("}", ",\"key_ops\":[]}") + "]}");
        set("thumbs", "{\"keys\":[" + otherJson.replace("}", ",\"x5t\":\"AAAA\"}") + "," + rsaJson.replace("}", ",\"x5t\":\"BBBB\"}") + "]}");
        set("strange ones", "{\"keys\":[{},{\"kty\":\"X\"},{\"kty\":\"RSA\",\"kid\":\"rsa\",\"n\":\"AQ\"},{\"kty\":\"EC\",\"crv\":\"P-1\",\"x\":\"AQ\",\"y\":\"AQ\",\"kid\":\"rsa\"},"
            + "{\"kty\":\"RSA\",\"kid\":5,\"n\":\"AQ\",\"e\":\"AQ\"}," + rsaJson + "],\"more\":1}");
        set("twice", "{\"keys\":[" + otherJson.replace("rsa3072", "rsa") + "," + rsaJson + "]}");
        set("kid is null", "{\"keys\":[" + rsaJson.replace("\"rsa\"", "null") + "]}");
        for (String set : sets.keySet()) {
            if (set.equals("all") || set.equals("none")) continue;
            token("by kid", set, "", byKid);
            token("without kid", set, "", signed);
        }
        token("x5t", "thumbs", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"x5t\":\"BBBB\"}", good));
        token("x5t of none", "thumbs", "", sign("RS256", rsa, "{\"alg\":\"RS256\",\"x5t\":\"CCCC\"}", good));

        // Times.
        for (String[] one : new String[][] {
            {"exp at the edge", "exp", "\"exp\":" + (NOW - 30)}, {"exp within the skew", "exp", "\"exp\":" + (NOW - 29)}, {"exp within the skew, before iat", "exp iat", "\"exp\":" + (NOW - 29) + ",\"iat\":" + (NOW - 28)},
            {"exp of a fraction", "exp", "\"exp\":" + (NOW - 29) + ".9"}, {"exp of a fraction at the edge", "exp", "\"exp\":" + (NOW - 30) + ".9"},
            {"no exp", "exp", ""}, {"exp is a text", "exp", "\"exp\":\"" + (NOW + 100) + "\""}, {"exp is null", "exp", "\"exp\":null"},
            {"exp far away", "exp", "\"exp\":9223372036854775"}, {"exp too far away", "exp", "\"exp\":9223372036854775807"},
            {"exp as a power", "exp", "\"exp\":1.7000001e9"}, {"exp beyond", "exp", "\"exp\":1e300"}, {"exp is huge", "exp", "\"exp\":12345678901234567890123"},
            {"exp before iat", "exp iat", "\"iat\":" + (NOW + 50) + ",\"exp\":" + (NOW + 49)}, {"exp as iat", "exp iat", "\"iat\":" + (NOW + 50) + ",\"exp\":" + (NOW + 50)},
            {"exp is negative", "exp iat", "\"iat\":-5,\"exp\":-1"},
            {"no iat", "iat", ""}, {"iat in the future", "iat", "\"iat\":" + (NOW + 90)}, {"iat is a text", "iat", "\"iat\":\"1\""},
            {"iat is negative", "iat", "\"iat\":-1"}, {"iat is zero", "iat", "\"iat\":0"},
            {"nbf at the edge", "", "\"nbf\":" + (NOW + 30)}, {"nbf behind it", "", "\"nbf\":" + (NOW + 31)}, {"nbf is past", "", "\"nbf\":1"},
            {"nbf behind exp", "exp", "\"exp\":" + (NOW + 5) + ",\"nbf\":" + (NOW + 6)}, {"nbf is a text", "", "\"nbf\":\"1\""},
        }) good(one[0], "", claims(one[1], one[2]));
        good("no skew, at the edge", "skew=0", claims("exp", "\"exp\":" + NOW));
        good("no skew, a second more", "skew=0", claims("exp", "\"exp\":" + (NOW + 1)));
        good("no skew, nbf now", "skew=0", claims("", "\"nbf\":" + NOW));
        good("no skew, nbf later", "skew=0", claims("", "\"nbf\":" + (NOW + 1)));

        // Audience and issuer.
        for (String aud : new String[] {"", "\"aud\":\"b\"", "\"aud\":[\"a\"]", "\"aud\":[\"b\",\"a\"]", "\"aud\":[\"b\",\"c\"]", "\"aud\":[]", "\"aud\":[1,\"a\"]",
            "\"aud\":5", "\"aud\":null", "\"aud\":{\"a\":1}", "\"aud\":\"A\"", "\"aud\":[[\"a\"]]"})
            for (String settings : new String[] {"", "audience=c,b", "audience="}) good("aud", settings, claims("aud", aud));
        for (String iss : new String[] {"", "\"iss\":\"j\"", "\"iss\":[\"i\"]", "\"iss\":5", "\"iss\":null", "\"iss\":\"i/\"", "\"iss\":\"I\""})
            for (String settings : new String[] {"", "issuer=j", "issuer="}) good("iss", settings, claims("iss", iss));

        // Subject and scope.
        for (String sub : new String[] {"", "\"sub\":\" bob \"", "\"sub\":\" \"", "\"sub\":\"\"", "\"sub\":7", "\"sub\":null", "\"sub\":\"b\\u0001\"", "\"sub\":\"\\u00a0b\"", "\"sub\":\"b\u00e9\""})
            good("sub", "", claims("sub", sub));
        good("sub by another claim", "sub=client_id", claims("", "\"client_id\":\"carol\""));
        good("another claim is missing", "sub=client_id", claims("", ""));
        good("another claim, and sub is a number", "sub=client_id", claims("sub", "\"client_id\":\"carol\",\"sub\":7"));
        good("another claim, and sub is missing", "sub=client_id", claims("sub", "\"client_id\":\"carol\""));
        for (String scope : new String[] {"\"r\"", "\"r w\"", "\"\"", "\" \"", "[]", "[\"r\",\"w\"]", "[\"r\",\"r\"]", "[\"r\",\" r\"]", "[\"r\",\"\"]", "[\"r\",null]", "[\"r\",5]",
            "5", "null", "{\"r\":1}", "true", "[\" \"]"})
            good("scope " + scope, "", claims("", "\"scope\":" + scope));
        good("scp", "scope=scp", claims("", "\"scope\":\"\",\"scp\":[\"r\"]"));
        good("jti is a number", "", claims("", "\"jti\":7"));
        good("more", "", claims("", "\"x\":{\"y\":[1,2,{}]},\"z\":1.5e3"));

        // What is no token.
        String[] parts = sign("ES256", "p256", good).split("\\.");
        for (String text : new String[] {"", "a", "a.b", "a.b.c", "a.b.c.d", "..", parts[0] + "." + parts[1], parts[0] + "." + parts[1] + ".",
            parts[0] + "." + parts[1] + "." + parts[2] + ".", parts[0] + "." + parts[1] + "." + parts[2] + ".x", "." + parts[1] + "." + parts[2], parts[0] + ".." + parts[2]})
            token("text", "all", "", text);
        good("claims are a list", "", "[]");
        good("claims are nothing", "", "");
        good("claims are no JSON", "", "{");
        good("claims with rubbish behind", "", good + "x");
        good("a claim twice", "", claims("", "\"sub\":\"root\""));
        token("header is no JSON", "all", "", part("{") + "." + part(good) + ".AA");
    }
}

#!/usr/bin/env bash
# Made the stores of this folder, with OpenJDK 17 and OpenSSL 3.0: `cd src/security/store/testdata && ./make.sh`.
set -eu
rm -f -- *.jks *.p12 *.pem *.txt *.bin
days=36500
# An authority, and a certificate of it.
openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out ca-key.pem
openssl req -x509 -new -key ca-key.pem -subj "/O=Klamm/CN=authority" -days $days -out ca.pem
openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out key.pem
openssl req -new -key key.pem -subj "/C=AT/O=Klamm, Inc./OU=a/CN=localhost" |
    openssl x509 -req -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days $days -out own.pem \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1")
openssl req -new -key key.pem -subj "/CN=late" |
    openssl x509 -req -CA ca.pem -CAkey ca-key.pem -days -1 -out expired.pem \
        -extfile <(echo "basicConstraints=CA:FALSE")
rm -f ca.srl
openssl req -x509 -new -key key.pem -subj "/CN=stranger" -days $days -out stranger.pem
cat own.pem ca.pem > chain.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:keypass -v2 aes-256-cbc -out encrypted.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:keypass -v1 PBE-SHA1-3DES -out encrypted-v1.pem
openssl ec -in key.pem -out sec1.pem
# PKCS12 by OpenSSL, today's and as it was.
openssl pkcs12 -export -inkey key.pem -in chain.pem -name own -passout pass:storepass -out openssl.p12
openssl pkcs12 -export -legacy -inkey key.pem -in chain.pem -name own -passout pass:storepass -out openssl-legacy.p12
openssl pkcs12 -export -nokeys -in ca.pem -passout pass:storepass -out openssl-trust.p12
# By Java.
java="-storepass storepass -noprompt"
pair="-genkeypair -validity $days -keysize 2048 -keyalg RSA $java"
keytool $pair -alias rsa -dname "CN=rsa, O=Klamm" -storetype PKCS12 -keystore java.p12
keytool -J-Dkeystore.pkcs12.legacy $pair -alias rsa -dname "CN=rsa, O=Klamm" -storetype PKCS12 -keystore java-legacy.p12
cp java.p12 two.p12
keytool -genkeypair -validity $days -keyalg EC -groupname secp256r1 -alias ec -dname "CN=ec" $java -keystore two.p12
keytool $pair -alias rsa -dname "CN=rsa, O=Klamm" -storetype JKS -keypass keypass -keystore java.jks
keytool -importkeystore -srckeystore openssl.p12 -srcstorepass storepass -destkeystore chain.jks -deststoretype JKS \
    -deststorepass storepass
keytool -importcert -alias ca -file ca.pem $java -storetype JKS -keystore trust.jks
keytool -importcert -alias ca -file ca.pem $java -storetype PKCS12 -keystore trust.p12
keytool $pair -alias rsa -dname "CN=rsa" -storetype JCEKS -keypass storepass -keystore java.jceks.jks
# What asks for more than a broker gives: two million iterations, and 17 lanes of scrypt; and what does not.
openssl pkcs12 -export -inkey key.pem -in chain.pem -name own -passout pass:storepass -macalg sha256 -iter 2000000 -out iterations.p12
openssl pkcs8 -topk8 -in key.pem -passout pass:keypass -v2 aes-256-cbc -iter 2000000 -out iterations.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:keypass -scrypt -scrypt_N 1024 -scrypt_r 8 -scrypt_p 17 -out scrypt-lanes.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:keypass -scrypt -scrypt_N 1024 -scrypt_r 8 -scrypt_p 1 -out scrypt.pem
# What a fuzzer can read many times a second: one iteration.
openssl pkcs12 -export -inkey key.pem -in chain.pem -name own -passout pass:storepass -iter 1 -out cheap.p12
openssl pkcs12 -export -nokeys -in ca.pem -passout pass:storepass -iter 1 -out cheap-trust.p12
# The first words of a client.
python3 -c "
import ssl, sys
context = ssl.create_default_context()
sent = ssl.MemoryBIO()
try:
    context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname='localhost').do_handshake()
except ssl.SSLWantReadError:
    sys.stdout.buffer.write(sent.read())
" > hello.bin

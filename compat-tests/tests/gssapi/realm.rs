//! A realm of Kerberos of a test's own: a KDC on a port of 127.0.0.1, its database and every keytab and ticket in one directory
//! that vanishes with it.

use compat_tests::port::Port;
use compat_tests::program::{self, Input};
use compat_tests::{Context, Result, bail, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub const REALM: &str = "KLAMM.TEST";
/// The broker's name, for clients that connect to localhost.
pub const SERVICE: &str = "kafka/localhost";
const SOON: Duration = Duration::from_secs(30);

pub struct Realm {
    folder: tempfile::TempDir,
    kdc: Child,
    /// Caches of tickets so far.
    tickets: AtomicUsize,
    _port: Port,
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = self.kdc.kill();
        let _ = self.kdc.wait();
    }
}

impl Realm {
    pub fn start() -> Result<Realm> {
        let folder = tempfile::Builder::new().prefix("klamm-realm-").tempdir()?;
        let port = Port::reserve()?;
        let place = folder.path().display();
        // Whatever the machine's own files say; nothing is asked of a name server, and nothing is kept elsewhere.
        let client = format!(
            "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n\
             dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n\
             default_rcache_name = file2:{place}/replays\n default_ccache_name = FILE:{place}/no-ticket\n\
             [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{}\n }}\n",
            port.number()
        );
        let kdc = format!(
            "[kdcdefaults]\n kdc_listen = \"\"\n kdc_tcp_listen = 127.0.0.1:{}\n[realms]\n {REALM} = {{\n\
             database_name = {place}/principals\n key_stash_file = {place}/stash\n acl_file = {place}/acl\n max_life = 1h\n\
             supported_enctypes = aes256-cts-hmac-sha1-96:normal\n }}\n[logging]\n kdc = STDERR\n",
            port.number()
        );
        fs::write(folder.path().join("krb5.conf"), client)?;
        fs::write(folder.path().join("kdc.conf"), kdc)?;
        let at = folder.path().to_path_buf();
        program::run(
            kerberos(&at, "kdb5_util", &["create", "-r", REALM, "-s", "-P", "of the master"]),
            Input::Nothing,
        )?;
        let mut command = kerberos(&at, "krb5kdc", &["-n"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        program::die_with_us(&mut command);
        let mut kdc = command.spawn().context("cannot start krb5kdc")?;
        let mut said = BufReader::new(kdc.stderr.take().context("no output")?);
        let realm = Realm { folder, kdc, tickets: AtomicUsize::new(0), _port: port };
        let (mut line, mut all) = (String::new(), String::new());
        while !line.contains("commencing operation") {
            line.clear();
            ensure!(said.read_line(&mut line)? > 0, "the KDC has ended\n{all}");
            all += &line;
        }
        // What it says of each request is read, so that it never waits.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(realm)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What tells Kerberos's programs and libraries of this realm.
    pub fn variables(&self) -> [(&'static str, PathBuf); 1] {
        [("KRB5_CONFIG", self.path("krb5.conf"))]
    }

    /// The same for Java, and for Klamm by the variable of its start script.
    pub fn java_option(&self) -> String {
        format!("-Djava.security.krb5.conf={}", self.path("krb5.conf").display())
    }

    fn admin(&self, query: &str) -> Result<()> {
        let output =
            program::run(kerberos(self.folder.path(), "kadmin.local", &["-r", REALM, "-q", query]), Input::Nothing)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!said.contains("while"), "kadmin.local {query}: {said}");
        Ok(())
    }

    /// Puts the key of a principal into a file; the principal is made if it is not there.
    pub fn keytab(&self, name: &str, principal: &str) -> Result<PathBuf> {
        let path = self.path(&format!("{name}.keytab"));
        let made = self.path(&format!("{}.made", principal.replace('/', "-")));
        if !made.exists() {
            self.admin(&format!("addprinc -randkey {principal}"))?;
            fs::write(made, "")?;
        }
        self.admin(&format!("ktadd -norandkey -k {} {principal}", path.display()))?;
        Ok(path)
    }

    /// A new key, which no keytab has yet.
    pub fn exchange_key(&self, principal: &str) -> Result<()> {
        self.admin(&format!("cpw -randkey {principal}"))
    }

    /// A ticket in a cache of its own, which is good for so long.
    pub fn ticket(&self, principal: &str, keytab: &Path, lifetime: &str) -> Result<PathBuf> {
        let cache = self.path(&format!("tickets-{}", self.tickets.fetch_add(1, Ordering::Relaxed)));
        let (file, table) = (cache.display().to_string(), keytab.display().to_string());
        let arguments = ["-c", &file, "-l", lifetime, "-k", "-t", &table, principal];
        program::run(kerberos(self.folder.path(), "kinit", &arguments), Input::Nothing)?;
        Ok(cache)
    }

    /// A ticket whose time is over.
    pub fn expired(&self, principal: &str, keytab: &Path) -> Result<PathBuf> {
        let cache = self.ticket(principal, keytab, "1s")?;
        let file = cache.display().to_string();
        let began = Instant::now();
        loop {
            let asked = kerberos(self.folder.path(), "klist", &["-s", "-c", &file]);
            match program::output(asked, Input::Nothing, program::DEADLINE)?.code {
                Some(0) if began.elapsed() > SOON => bail!("the ticket is still good"),
                Some(0) => std::thread::sleep(Duration::from_millis(100)),
                _ => return Ok(cache),
            }
        }
    }
}

/// A program of Kerberos, which knows the realm in this directory and nothing else.
fn kerberos(folder: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = program::command(name, arguments);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command.env("KRB5_CONFIG", folder.join("krb5.conf")).env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
    command.env("KRB5CCNAME", folder.join("no-ticket"));
    command
}

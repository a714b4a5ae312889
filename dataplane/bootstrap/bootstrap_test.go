package bootstrap_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/test/repository"
)

const buyer = ir.Identity("spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer")

// envoy is the pinned binary: MESHC_ENVOY, or what `make envoy` fetched.
func envoy(t *testing.T) string {
	t.Helper()
	return repository.Envoy(t)
}

func authority(t *testing.T) *ca.Authority {
	t.Helper()
	a, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func options(t *testing.T, dir string) bootstrap.Options {
	return bootstrap.Options{
		Identity: buyer, Workload: "bookbuyer/vm-1", Zone: "a",
		ControlPlane: "meshc.example:15128", CA: authority(t).Roots(),
		TokenFile: filepath.Join(dir, "token"), SecretsFile: filepath.Join(dir, "secrets.json"),
	}
}

// put writes a file as its writers must: by rename.
func put(t *testing.T, path string, data []byte) {
	t.Helper()
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		t.Fatal(err)
	}
}

// prepare writes bootstrap, secrets and a token where there is none, and gives the bootstrap's path.
func prepare(t *testing.T, dir string, o bootstrap.Options) string {
	t.Helper()
	if _, err := os.Stat(o.TokenFile); o.TokenFile != "" && err != nil {
		put(t, o.TokenFile, []byte("first"))
	}
	secrets, err := bootstrap.Secrets(o)
	if err != nil {
		t.Fatal(err)
	}
	put(t, o.SecretsFile, secrets)
	config, err := bootstrap.JSON(o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "bootstrap.json")
	put(t, path, config)
	return path
}

func TestEnvoyAcceptsEveryShape(t *testing.T) {
	bin := envoy(t)
	for name, change := range map[string]func(*testing.T, string, *bootstrap.Options){
		"token":     func(*testing.T, string, *bootstrap.Options) {},
		"mark":      func(_ *testing.T, _ string, o *bootstrap.Options) { o.Mark = 1500 },
		"IPv4 only": func(_ *testing.T, _ string, o *bootstrap.Options) { o.IPv4Only = true },
		"addresses": func(_ *testing.T, _ string, o *bootstrap.Options) {
			o.ControlPlane, o.Admin, o.MetricsPort = "[fd00::1]:443", netip.MustParseAddrPort("[::1]:9901"), 9902
		},
		"client certificate": func(t *testing.T, dir string, o *bootstrap.Options) {
			leaf, err := authority(t).Issue(buyer, 0)
			if err != nil {
				t.Fatal(err)
			}
			o.TokenFile, o.CertFile, o.KeyFile = "", filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
			put(t, o.CertFile, leaf.CertPEM)
			put(t, o.KeyFile, leaf.KeyPEM)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := options(t, dir)
			change(t, dir, &o)
			out, err := exec.Command(bin, "--mode", "validate", "--log-level", "warning", "--config-path", prepare(t, dir, o)).CombinedOutput()
			if err != nil {
				t.Fatalf("Envoy would not start: %v\n%s", err, out)
			}
			if bytes.Contains(out, []byte("[warning]")) {
				t.Errorf("Envoy warns of what every proxy would log:\n%s", out)
			}
		})
	}
}

// Without the hint the control plane sends such an Envoy IPv6 addresses, and it
// refuses every listener that holds one.
func TestIPv4OnlyIsTold(t *testing.T) {
	o := options(t, t.TempDir())
	for _, o.IPv4Only = range []bool{false, true} {
		m, err := bootstrap.Message(o)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.GetNode().GetMetadata().GetFields()["meshc.dev/ipv4-only"].GetBoolValue(); got != o.IPv4Only {
			t.Errorf("with IPv4Only %t the node says %t", o.IPv4Only, got)
		}
	}
}

func TestEqualOptionsGiveEqualBytes(t *testing.T) {
	o := options(t, "/etc/meshc")
	first, err := bootstrap.JSON(o)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, err := bootstrap.JSON(o); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("a pod's bootstrap changes although nothing did (%v)", err)
		}
	}
}

func TestRefusals(t *testing.T) {
	key, err := authority(t).Issue(buyer, 0)
	if err != nil {
		t.Fatal(err)
	}
	for why, change := range map[string]func(*bootstrap.Options){
		"without one the credential":  func(o *bootstrap.Options) { o.CA = nil },
		"no certificate in PEM":       func(o *bootstrap.Options) { o.CA = []byte("hello") },
		"only certificates belong":    func(o *bootstrap.Options) { o.CA = append(o.CA, key.KeyPEM...) },
		"no credential":               func(o *bootstrap.Options) { o.TokenFile = "" },
		"both a token":                func(o *bootstrap.Options) { o.CertFile, o.KeyFile = "/a", "/b" },
		"go together":                 func(o *bootstrap.Options) { o.TokenFile, o.CertFile = "", "/a" },
		"no place is given":           func(o *bootstrap.Options) { o.SecretsFile = "" },
		"must end in .json":           func(o *bootstrap.Options) { o.SecretsFile = "/a" },
		"is not absolute":             func(o *bootstrap.Options) { o.TokenFile = "token" },
		"commands the proxy":          func(o *bootstrap.Options) { o.Admin = netip.MustParseAddrPort("0.0.0.0:15000") },
		"is not HOST:PORT":            func(o *bootstrap.Options) { o.ControlPlane = "meshc" },
		"is not a port":               func(o *bootstrap.Options) { o.ControlPlane = "meshc:0" },
		"has no host":                 func(o *bootstrap.Options) { o.ControlPlane = ":15128" },
		"does not start with spiffe:": func(o *bootstrap.Options) { o.Identity = "bookbuyer/bookbuyer" },
	} {
		o := options(t, "/etc/meshc")
		change(&o)
		if _, err := bootstrap.JSON(o); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("want a refusal that says %q, got %v", why, err)
		}
	}
}

func TestNoCredentialInTheBootstrap(t *testing.T) {
	dir := t.TempDir()
	o := options(t, dir)
	config, err := os.ReadFile(prepare(t, dir, o))
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := os.ReadFile(o.SecretsFile)
	if err != nil {
		t.Fatal(err)
	}
	put(t, o.TokenFile, []byte("s3cret-t0ken"))
	if bytes.Contains(append(config, secrets...), []byte("s3cret-t0ken")) {
		t.Error("the token stands in a file that ends up in pod specs and ConfigMaps")
	}
}

func TestEnv(t *testing.T) {
	want := fmt.Sprint([]string{"MESHC_IDENTITY=bookbuyer/bookbuyer", "MESHC_SNI=" + buyer.SNI()})
	if got := fmt.Sprint(bootstrap.Env(buyer)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

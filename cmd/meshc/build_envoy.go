package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/xds/link"
)

// proxyConfig is the configuration of a proxy in one file, and of which role it
// is. Proxies that are told the same share it.
type proxyConfig struct {
	role string
	at   diag.Span
	json []byte
}

// proxyConfigs are the distinct configurations of a bundle's roles, with
// placeholders for what is known only at run time.
func proxyConfigs(b *bundle.Bundle) ([]proxyConfig, error) {
	world, _ := link.New(b, placeholders(b)) // of placeholders there is nothing to find
	anyone := ir.NewIdentity(b.Mesh.Settings.TrustDomain, "meshc", "validate")
	var out []proxyConfig
	seen := map[[sha256.Size]byte]bool{}
	for _, r := range b.Plan.Roles {
		name := ir.RoleName(r.Identity, r.Services)
		view, err := world.For(r.Identity, r.Services)
		if err != nil {
			return nil, fmt.Errorf("the configuration of %s: %w", name, err)
		}
		config, err := staticEnvoy(world, view, anyone, "")
		if err != nil {
			return nil, fmt.Errorf("the configuration of %s: %w", name, err)
		}
		text, err := bootstrap.Print(config)
		if err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(text); !seen[sum] {
			seen[sum] = true
			out = append(out, proxyConfig{role: name, at: roleOrigin(b.Mesh, r), json: text})
		}
	}
	return out, nil
}

// roleOrigin is where the first service of a role was written.
func roleOrigin(m *ir.Mesh, r ir.RolePlan) diag.Span {
	for _, s := range r.Services {
		if o, ok := m.Origins["Service/"+s.String()]; ok {
			return diag.Span{File: o.File, Line: o.Line, Col: o.Col}
		}
	}
	return diag.Span{}
}

// validator asks an Envoy whether it takes configurations. What a binary has
// taken it is not asked again: the cache folder remembers digests.
type validator struct {
	binary string
	stamp  string // the binary's path, size and time: another binary is asked anew
	cache  string // empty: nothing is remembered
}

// envoyVersion is what every Envoy says of itself: COMMIT/1.40.0/Clean/RELEASE/...
var envoyVersion = regexp.MustCompile(`version: [0-9a-f]+/[0-9]+\.[0-9]+\.[0-9]+`)

func newValidator(binary string) (*validator, error) {
	path, err := exec.LookPath(binary)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	// Many a program ends with 0 whatever it is asked: that would count as a yes.
	if said, err := exec.Command(path, "--version").CombinedOutput(); err != nil || !envoyVersion.Match(said) {
		return nil, fmt.Errorf("%s is no Envoy: it does not answer --version as one", path)
	}
	v := &validator{binary: path, stamp: fmt.Sprintf("%s %d %d", path, info.Size(), info.ModTime().UnixNano())}
	if dir, err := os.UserCacheDir(); err == nil {
		v.cache = filepath.Join(dir, "meshc", "envoy-validated")
	}
	return v, nil
}

// judge asks about every configuration, several at a time. The findings are in
// the order of the configurations; an error is that Envoy could not be run.
func (v *validator) judge(configs []proxyConfig) (diag.List, error) {
	refusals := make([]string, len(configs))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range configs {
		g.Go(func() (err error) {
			refusals[i], err = v.ask(configs[i].json)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out diag.List
	for i, said := range refusals {
		if said != "" {
			out.Add(diag.New("MSH0497", configs[i].at, "Envoy refuses the configuration of %s: %s", configs[i].role, said).
				WithEffect("nothing is written; a proxy would refuse it too and keep what it has").
				WithHelp("check that %s is the Envoy your proxies run, version 1.40 or later; else report it with the manifests that show it", v.binary))
		}
	}
	return out, nil
}

// ask gives what Envoy has against a configuration; empty when it takes it.
func (v *validator) ask(config []byte) (string, error) {
	known := v.remembered(config)
	if _, err := os.Stat(known); known != "" && err == nil {
		return "", nil
	}
	dir, err := os.MkdirTemp("", "meshc-envoy-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return "", err
	}
	out, err := exec.Command(v.binary, "--mode", "validate", "-l", "warning", "-c", file).CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return refusal(out, file), nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", v.binary, err, out)
	}
	if known != "" && os.MkdirAll(filepath.Dir(known), 0o700) == nil {
		_ = os.WriteFile(known, nil, 0o600) // a cache that cannot be written only costs time
	}
	return "", nil
}

func (v *validator) remembered(config []byte) string {
	if v.cache == "" {
		return ""
	}
	sum := sha256.Sum256(append([]byte(v.stamp+"\n"), config...))
	return filepath.Join(v.cache, hex.EncodeToString(sum[:]))
}

// refusal is Envoy's own sentence among its log lines.
func refusal(out []byte, file string) string {
	text := strings.TrimSpace(string(bytes.ToValidUTF8(out, []byte("?"))))
	for _, line := range strings.Split(text, "\n") {
		if _, said, ok := strings.Cut(line, "error initializing configuration"); ok {
			_, said, _ = strings.Cut(said, file+"'")
			return strings.Trim(said, " :")
		}
	}
	if text == "" {
		return "it says nothing"
	}
	return text
}

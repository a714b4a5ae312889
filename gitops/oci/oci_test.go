package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	fluxtar "github.com/fluxcd/pkg/tar"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/oci"
)

// shelf is a registry in this process. Its handler can be wrapped.
type shelf struct {
	host    string
	wrap    atomic.Pointer[func(http.ResponseWriter, *http.Request, http.Handler)]
	fetched atomic.Int32 // requests with a body to give
}

func newShelf(t testing.TB) *shelf {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir()) // the tester's own credentials are none of our business
	s := &shelf{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			s.fetched.Add(1)
		}
		if wrap := s.wrap.Load(); wrap != nil {
			(*wrap)(w, r, inner)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

func (s *shelf) ref(t testing.TB, name string) oci.Reference {
	t.Helper()
	r, err := oci.Parse("oci://"+s.host+"/"+name, true)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *shelf) intercept(f func(http.ResponseWriter, *http.Request, http.Handler)) { s.wrap.Store(&f) }

func mesh(t testing.TB, name string) *bundle.Bundle {
	t.Helper()
	id := ir.NewIdentity("cluster.local", "shop", "web")
	b, err := bundle.Pack(bundle.Input{
		Mesh: &ir.Mesh{Settings: ir.Settings{Name: name, TrustDomain: "cluster.local"}, Identities: []ir.Identity{id}},
		Plan: &ir.Plan{Scopes: []ir.Scope{{Ranged: ir.NoRef}}, Resources: []ir.Resource{{Type: ir.TypeListener, Name: "outbound", Body: []byte(strings.Repeat("x", 5000))}},
			Identities: []ir.IdentityPlan{{Identity: id}}},
		Revision: "main@sha1:0123456789abcdef0123456789abcdef01234567", Epoch: 42,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.WithSignature("one.dsse.json", []byte("{}"))
}

func push(t testing.TB, b *bundle.Bundle, to oci.Reference, tags ...string) oci.Reference {
	t.Helper()
	at, err := oci.Push(context.Background(), b, to, "https://git.example/mesh", tags...)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func pulled(t testing.TB, from oci.Reference) *bundle.Bundle {
	t.Helper()
	b, _, findings, err := oci.Pull(context.Background(), from)
	if b == nil {
		t.Fatal(findings, err)
	}
	return b
}

func equal(a, b *bundle.Bundle) bool { return maps.EqualFunc(a.Files(), b.Files(), bytes.Equal) }

// What was pushed comes back byte for byte, signatures included, by tag and by
// digest, and equal bundles are one artifact.
func TestPushedBundleComesBack(t *testing.T) {
	s := newShelf(t)
	b := mesh(t, "shop")
	at := push(t, b, s.ref(t, "team/mesh:v1"), "stable")
	if again := push(t, b, s.ref(t, "team/mesh:v2")); again.String() != at.String() {
		t.Errorf("an equal bundle became %s, and then %s", at, again)
	}
	if !at.Pinned() {
		t.Errorf("%s has no digest", at)
	}
	for _, from := range []oci.Reference{s.ref(t, "team/mesh:v1"), s.ref(t, "team/mesh:v2"), s.ref(t, "team/mesh:stable"), at} {
		if got := pulled(t, from); !equal(got, b) {
			t.Errorf("%s gives other files", from)
		}
	}
	push(t, mesh(t, "other"), s.ref(t, "team/mesh:v1"))
	if got := pulled(t, s.ref(t, "team/mesh:v1")); got.Manifest.Mesh != "other" {
		t.Errorf("the tag still leads to %s", got.Manifest.Mesh)
	}
	if got := pulled(t, at); !equal(got, b) {
		t.Error("the digest leads elsewhere since the tag moved")
	}
	if b, _, findings, err := oci.Pull(t.Context(), s.ref(t, "team/mesh:absent")); b != nil || len(findings) > 0 || err == nil {
		t.Errorf("a tag that is not there: %v %v", findings, err)
	}
}

// get asks the registry as any client does.
func get(t *testing.T, s *shelf, path string) []byte {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+s.host+"/v2/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", ocispec.MediaTypeImageManifest)
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return body
}

// Flux's OCIRepository takes the artifact for one of its own, and what its
// extraction leaves in a folder opens as the bundle.
func TestFluxExtractsTheArtifact(t *testing.T) {
	s := newShelf(t)
	b := mesh(t, "shop")
	push(t, b, s.ref(t, "mesh:v1"))
	var m ocispec.Manifest
	if err := json.Unmarshal(get(t, s, "mesh/manifests/v1"), &m); err != nil {
		t.Fatal(err)
	}
	if m.Config.MediaType != "application/vnd.cncf.flux.config.v1+json" || len(m.Layers) != 1 || m.Layers[0].MediaType != "application/vnd.cncf.flux.content.v1.tar+gzip" {
		t.Errorf("config %s, layers %v", m.Config.MediaType, m.Layers)
	}
	for name, want := range map[string]string{
		"org.opencontainers.image.created": "1970-01-01T00:00:00Z", "org.opencontainers.image.source": "https://git.example/mesh",
		"org.opencontainers.image.revision": b.Manifest.Revision, "dev.meshc.policy-digest": b.Manifest.PolicyDigest, "dev.meshc.epoch": "42",
	} {
		if got := m.Annotations[name]; got != want {
			t.Errorf("annotation %s is %q, want %q", name, got, want)
		}
	}
	dir := t.TempDir()
	if err := fluxtar.Untar(bytes.NewReader(get(t, s, "mesh/blobs/"+m.Layers[0].Digest.String())), dir); err != nil {
		t.Fatal(err)
	}
	got, findings, err := bundle.Open(dir)
	if err != nil || got == nil || !equal(got, b) {
		t.Errorf("what Flux extracts does not open as the bundle: %v %v", findings, err)
	}
}

// Credentials come from where `docker login` puts them.
func TestCredentialsOfDocker(t *testing.T) {
	s := newShelf(t)
	s.intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if user, password, _ := r.BasicAuth(); user != "ci" || password != "s3cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
	_, err := oci.Push(t.Context(), mesh(t, "shop"), s.ref(t, "mesh:v1"), "")
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a registry that asks for a password was written without one: %v", err)
	}
	config := fmt.Sprintf(`{"auths": {%q: {"username": "ci", "password": "s3cret"}}}`, s.host)
	if err := os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	push(t, mesh(t, "shop"), s.ref(t, "mesh:v1"))
	pulled(t, s.ref(t, "mesh:v1"))
}

// A registry that gives other bytes than it names, in the layer or in the
// manifest, is found out.
func TestRegistryCannotAlterABundle(t *testing.T) {
	for _, kind := range []string{"blobs", "manifests"} {
		s := newShelf(t)
		push(t, mesh(t, "shop"), s.ref(t, "mesh:v1"))
		s.intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/"+kind+"/") {
				next.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			body := rec.Body.Bytes()
			body[len(body)/2] ^= 1
			maps.Copy(w.Header(), rec.Header())
			w.WriteHeader(rec.Code)
			_, _ = w.Write(body)
		})
		b, _, findings, err := oci.Pull(t.Context(), s.ref(t, "mesh:v1"))
		if b != nil || err != nil || len(findings) != 1 || findings[0].Code != "MSH0415" {
			t.Errorf("%s altered: %v %v %v", kind, b != nil, findings, err)
		}
	}
}

// A source asks for what changed and for nothing else; a digest never changes.
func TestSourceFetchesWhatChanged(t *testing.T) {
	s := newShelf(t)
	tag := s.ref(t, "mesh:v1")
	at := push(t, mesh(t, "one"), tag)
	source, pinned := oci.NewSource(tag), oci.NewSource(at)
	fetch := func(from *oci.Source) *bundle.Bundle {
		t.Helper()
		b, findings, err := from.Fetch(t.Context())
		if err != nil || len(findings) > 0 {
			t.Fatal(findings, err)
		}
		return b
	}
	one, same := fetch(source), fetch(pinned)
	before := s.fetched.Load()
	if fetch(source) != one || fetch(pinned) != same || s.fetched.Load() != before {
		t.Errorf("what had not changed was fetched again, %d times", s.fetched.Load()-before)
	}
	push(t, mesh(t, "two"), tag)
	if got := fetch(source); got.Manifest.Mesh != "two" {
		t.Errorf("the source gives %s", got.Manifest.Mesh)
	}
	s.intercept(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusForbidden) })
	if b, findings, err := source.Fetch(t.Context()); b != nil || len(findings) > 0 || err == nil {
		t.Errorf("a registry that is away: %v %v %v", b, findings, err)
	}
	if fetch(pinned) != same {
		t.Error("a digest is gone with the registry")
	}
}

// A reference that cannot be meant is told before anything is asked.
func TestReferences(t *testing.T) {
	for _, bad := range []string{"registry.example/mesh:v1", "oci://", "oci://mesh", "oci://registry.example/Mesh", "oci://registry.example/mesh:v1:v2", "oci://registry.example/mesh@sha256:12"} {
		if r, err := oci.Parse(bad, false); err == nil {
			t.Errorf("%q is read as %s", bad, r)
		}
	}
	r, err := oci.Parse("oci://registry.example:5000/team/mesh", false)
	if err != nil || r.String() != "oci://registry.example:5000/team/mesh:latest" || r.Pinned() {
		t.Errorf("%s %v", r, err)
	}
}

// entry is a member of an archive.
type entry struct {
	tar.Header
	content string
}

func archiveOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, e := range entries {
		if e.Typeflag == 0 {
			e.Typeflag, e.Size = tar.TypeReg, int64(len(e.content))
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// shelve puts any layer and manifest into the registry, as a hostile author would.
func (s *shelf) shelve(t testing.TB, name string, layer []byte, change func(*ocispec.Manifest)) {
	t.Helper()
	put := func(path, kind string, body []byte) {
		t.Helper()
		request, err := http.NewRequest(http.MethodPut, "http://"+s.host+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", kind)
		resp, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %s", path, resp.Status)
		}
	}
	describe := func(kind string, body []byte) ocispec.Descriptor {
		t.Helper()
		d := ocispec.Descriptor{MediaType: kind, Digest: digest.FromBytes(body), Size: int64(len(body))}
		resp, err := http.Post("http://"+s.host+"/v2/"+name+"/blobs/uploads/", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		put(resp.Header.Get("Location")+"?digest="+d.Digest.String(), "application/octet-stream", body)
		return d
	}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: describe("application/vnd.cncf.flux.config.v1+json", []byte("{}")),
		Layers: []ocispec.Descriptor{describe("application/vnd.cncf.flux.content.v1.tar+gzip", layer)}}
	m.SchemaVersion = 2
	if change != nil {
		change(&m)
	}
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	put("/v2/"+name+"/manifests/latest", m.MediaType, body)
}

// Archives that reach out of the folder, or hold what no bundle holds, are
// refused whole.
func TestHostileArchivesAreRefused(t *testing.T) {
	s := newShelf(t)
	file := func(name, content string) entry { return entry{tar.Header{Name: name}, content} }
	link := func(kind byte, target string) entry {
		return entry{Header: tar.Header{Typeflag: kind, Name: "manifest.json", Linkname: target}}
	}
	var many []entry
	for i := range 300 {
		many = append(many, file(fmt.Sprint("f", i), ""))
	}
	good := archiveOf(t, file("manifest.json", strings.Repeat("{}", 5000)))
	for name, c := range map[string]struct {
		layer []byte
		want  string
	}{
		"parent":        {archiveOf(t, file("../manifest.json", "x")), "no name of a file"},
		"deep-parent":   {archiveOf(t, file("a/../../manifest.json", "x")), "no name of a file"},
		"absolute":      {archiveOf(t, file("/etc/passwd", "x")), "no name of a file"},
		"backslash":     {archiveOf(t, file(`..\manifest.json`, "x")), "no name of a file"},
		"dot":           {archiveOf(t, file(".", "x")), "no name of a file"},
		"symbolic-link": {archiveOf(t, link(tar.TypeSymlink, "/etc/passwd")), "no regular file"},
		"hard-link":     {archiveOf(t, link(tar.TypeLink, "/etc/passwd")), "no regular file"},
		"device":        {archiveOf(t, link(tar.TypeChar, "")), "no regular file"},
		"pipe":          {archiveOf(t, link(tar.TypeFifo, "")), "no regular file"},
		"twice":         {archiveOf(t, file("manifest.json", "a"), file("./manifest.json", "b")), "twice"},
		"many":          {archiveOf(t, many...), "more than 256 entries"},
		"truncated":     {good[:len(good)/2], "unexpected EOF"},
		"no-gzip":       {[]byte("hello"), "gzip"},
		"no-tar":        {zipped(t, strings.Repeat("hello", 500)), "tar archive"},
		"empty":         {nil, "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			s.shelve(t, name, c.layer, nil)
			b, _, findings, err := oci.Pull(t.Context(), s.ref(t, name))
			if b != nil || err != nil || len(findings) != 1 || findings[0].Code != "MSH0414" || !strings.Contains(findings[0].Message, c.want) {
				t.Errorf("%v %v", findings, err)
			}
		})
	}
	s.shelve(t, "no-bundle", archiveOf(t, entry{Header: tar.Header{Name: "a/", Typeflag: tar.TypeDir}}, file("./a/x.yaml", "x")), nil)
	if _, _, findings, err := oci.Pull(t.Context(), s.ref(t, "no-bundle")); err != nil || len(findings) != 1 || findings[0].Code != "MSH0401" {
		t.Errorf("an archive without a bundle: %v %v", findings, err)
	}
}

func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, err := io.WriteString(zip, text)
	if err == nil {
		err = zip.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// An image is no bundle, nor is what claims more than is read.
func TestOtherArtifactsAreRefused(t *testing.T) {
	s := newShelf(t)
	good := archiveOf(t)
	for name, change := range map[string]func(*ocispec.Manifest){
		"two-layers":   func(m *ocispec.Manifest) { m.Layers = slices.Repeat(m.Layers, 2) },
		"no-layer":     func(m *ocispec.Manifest) { m.Layers = nil },
		"another-type": func(m *ocispec.Manifest) { m.Layers[0].MediaType = "text/plain" },
		"large":        func(m *ocispec.Manifest) { m.Layers[0].Size = 1 << 40 },
		"below-0":      func(m *ocispec.Manifest) { m.Layers[0].Size = -1 },
		"docker": func(m *ocispec.Manifest) {
			m.MediaType = "application/vnd.docker.distribution.manifest.v2+json"
		},
	} {
		s.shelve(t, name, good, change)
		b, _, findings, err := oci.Pull(t.Context(), s.ref(t, name))
		if b != nil || err != nil || len(findings) != 1 || findings[0].Code != diag.Code("MSH0415") {
			t.Errorf("%s: %v %v", name, findings, err)
		}
	}
}

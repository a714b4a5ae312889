package faults

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/bundle"
)

// damage makes of a good bundle's files what is put in its place.
type damage struct {
	name  string
	files func(files map[string][]byte)
	// folder is done to the folder with the files in it; nil: nothing.
	folder func(dir string) error
}

// damaged are bundles that were broken on their way.
var damaged = []damage{
	{"one bit flipped", func(f map[string][]byte) { f[bundle.PackFile][len(f[bundle.PackFile])/2] ^= 1 }, nil},
	{"truncated", func(f map[string][]byte) { f[bundle.PackFile] = f[bundle.PackFile][:len(f[bundle.PackFile])/3] }, nil},
	{"a file missing", func(f map[string][]byte) { delete(f, bundle.IRFile) }, nil},
	{"manifest emptied", func(f map[string][]byte) { f[bundle.ManifestFile] = nil }, nil},
	{"folder emptied", func(f map[string][]byte) { clear(f) }, nil},
	{"folder gone", func(f map[string][]byte) {}, os.RemoveAll},
	{"older format", func(f map[string][]byte) {
		reseal(f, func(m *bundle.Manifest) { m.Format = bundle.Format{Major: 0, Minor: 9} })
	}, nil},
	{"newer format", func(f map[string][]byte) {
		reseal(f, func(m *bundle.Manifest) { m.Format = bundle.Format{Major: bundle.Current.Major + 1} })
	}, nil},
}

// hostile are bundles whose digests fit and that mean harm.
var hostile = []damage{
	{"digests of other bytes", func(f map[string][]byte) {
		f[bundle.IRFile] = bytes.Replace(f[bundle.IRFile], []byte("thief"), []byte("xhief"), 1)
	}, nil},
	{"a policy of wider grants under the old digest", func(f map[string][]byte) {
		m := manifestOf(f)
		f[bundle.IRFile] = bytes.ReplaceAll(f[bundle.IRFile], []byte(`"strict"`), []byte(`"permissive"`))
		for i, file := range m.Files {
			m.Files[i] = bundle.NewFile(file.Path, f[file.Path])
		}
		f[bundle.ManifestFile] = sealed(m) // the policy digest stays the old one
	}, nil},
	{"a huge count in the index", func(f map[string][]byte) {
		f[bundle.IndexFile] = binary.AppendUvarint([]byte("meshc index 1\n"), 1<<62)
		reseal(f, nil)
	}, nil},
	{"a huge length in the index", func(f map[string][]byte) {
		f[bundle.IndexFile] = append(binary.AppendUvarint(binary.AppendUvarint([]byte("meshc index 1\n"), 1), 1<<62), 'x')
		reseal(f, nil)
	}, nil},
	{"a huge size in the manifest", func(f map[string][]byte) {
		reseal(f, func(m *bundle.Manifest) { m.Files[0].Size = 1 << 60 })
	}, nil},
	{"a file of a terabyte", nil, func(dir string) error { return os.Truncate(filepath.Join(dir, bundle.PackFile), 1<<40) }},
	{"a name that climbs out", func(f map[string][]byte) {
		reseal(f, func(m *bundle.Manifest) {
			for i := range m.Files {
				m.Files[i].Path = "../../state/ca/" + m.Files[i].Path
			}
		})
	}, nil},
	{"a link to the keys", nil, func(dir string) error {
		return relink(filepath.Join(dir, bundle.OriginsFile), "../state/ca/root.pem")
	}},
	{"a link to a device", nil, func(dir string) error { return relink(filepath.Join(dir, bundle.IRFile), "/dev/zero") }},
	{"deeply nested JSON", func(f map[string][]byte) {
		f[bundle.IRFile] = bytes.Repeat([]byte("["), 1<<20)
		reseal(f, nil)
	}, nil},
}

func bundleDamaged(w *world) {
	list := damaged
	if w.quick {
		list = damaged[:2]
	}
	w.replaceBundle(list)
	if !w.quick {
		w.copySlowly()
	}
}

func bundleHostile(w *world) { w.replaceBundle(hostile) }

// replaceBundle puts each broken bundle in the place of the good one: the good one
// stays served, by a server that is started anew too, and the next good one counts.
func (w *world) replaceBundle(list []damage) {
	for i, d := range list {
		w.t.Log(d.name)
		before, err := w.control.status()
		must(w.t, err)
		must(w.t, w.breakBundle(d))
		w.degraded("bundle")
		if i%4 == 1 {
			must(w.t, w.control.restart())
			w.degraded("bundle")
		}
		w.asked(1)
		after, err := w.control.status()
		must(w.t, err)
		if after.Bundle != before.Bundle {
			w.t.Errorf("%s: it took the place of what was served", d.name)
		}
		cured := time.Now()
		must(w.t, os.RemoveAll(w.control.path("bundle")))
		w.either()
		w.publish()
		w.recover(cured)
		w.well()
	}
}

// breakBundle makes a good bundle of the other policy, breaks it, and puts it in
// place by renaming folders.
func (w *world) breakBundle(d damage) error {
	good, err := w.policies[1-w.current].pack("broken: " + d.name)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for name, content := range good.Files() {
		files[name] = bytes.Clone(content)
	}
	if d.files != nil {
		d.files(files)
	}
	fresh, old := w.control.path("bundle.fresh"), w.control.path("bundle.old")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(fresh, name), content, 0o644); err != nil {
			return err
		}
	}
	if d.folder != nil {
		if err := d.folder(fresh); err != nil {
			return err
		}
	}
	if err := os.Rename(w.control.path("bundle"), old); err != nil {
		return err
	}
	if _, err := os.Stat(fresh); err == nil {
		if err := os.Rename(fresh, w.control.path("bundle")); err != nil {
			return err
		}
	}
	return os.RemoveAll(old)
}

// copySlowly copies a good bundle over the one that is served, file by file and
// not as `meshc build` does: halves are seen, and none is served.
func (w *world) copySlowly() {
	w.either()
	w.current = 1 - w.current
	b, err := w.policies[w.current].pack("copied slowly")
	must(w.t, err)
	files := b.Files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(w.control.path("bundle"), name)
		must(w.t, os.WriteFile(path, files[name][:len(files[name])/2], 0o644))
		w.asked(1)
		must(w.t, os.WriteFile(path, files[name], 0o644))
	}
	w.control.served = b.Manifest.BundleDigest
	w.recover(time.Now())
	w.well()
}

func relink(path, to string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(to, path)
}

func manifestOf(files map[string][]byte) bundle.Manifest {
	var m bundle.Manifest
	_ = json.Unmarshal(files[bundle.ManifestFile], &m) // it was written a moment ago
	return m
}

// reseal makes every digest fit again after files were changed, and then lets the
// manifest be changed and sealed.
func reseal(files map[string][]byte, change func(*bundle.Manifest)) {
	m := manifestOf(files)
	policy := "meshc policy " + m.Format.String() + "\n"
	for i, f := range m.Files {
		m.Files[i] = bundle.NewFile(f.Path, files[f.Path])
	}
	for _, name := range []string{bundle.IRFile, bundle.IndexFile, bundle.PackFile} {
		policy += name + " " + bundle.NewFile(name, files[name]).Digest + "\n"
	}
	m.PolicyDigest = bundle.NewFile("", []byte(policy)).Digest
	if change != nil {
		change(&m)
	}
	files[bundle.ManifestFile] = sealed(m)
}

// sealed is a manifest with its own digest in it.
func sealed(m bundle.Manifest) []byte {
	zero := "sha256:" + strings.Repeat("0", 2*sha256.Size)
	m.BundleDigest = zero
	text, _ := json.MarshalIndent(m, "", "  ") // plain data
	text = append(text, '\n')
	sum := sha256.Sum256(text)
	return bytes.Replace(text, []byte(zero), []byte("sha256:"+hex.EncodeToString(sum[:])), 1)
}

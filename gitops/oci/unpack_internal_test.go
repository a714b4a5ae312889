package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// bomb is a small archive of files of zeros, cut short after some of them.
func bomb(t testing.TB, size int64, whole int) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for i := range whole + 1 {
		if err := w.WriteHeader(&tar.Header{Name: strconv.Itoa(i), Typeflag: tar.TypeReg, Size: size, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if i == whole {
			break
		}
		if _, err := io.CopyN(w, zeros{}, size); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// An archive of a few bytes cannot exhaust a server: neither by what it claims
// nor by what it unpacks to.
func TestBombsAreRefused(t *testing.T) {
	const limit = 8 << 20
	for what, archive := range map[string][]byte{
		"claims much":        bomb(t, 1<<40, 0),
		"claims the allowed": bomb(t, limit, 0),
		"unpacks to much":    bomb(t, limit/4, 5),
	} {
		before := allocated()
		files, err := unpack(archive, limit, maxEntries)
		if used := allocated() - before; files != nil || err == nil || used > 4*limit {
			t.Errorf("%s: %v, %d bytes of memory for %d", what, err, used, len(archive))
		}
	}
}

// A sparse file stands for bytes that are not there.
func TestSparseFilesAreRefused(t *testing.T) {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: "ir.json", PAXRecords: map[string]string{"GNU.sparse.major": "1"}}
	if name, err := entryName(header); err == nil || !strings.Contains(err.Error(), "sparse") {
		t.Errorf("%q %v", name, err)
	}
}

// FuzzUnpack: whatever comes from a registry, no panic, bounded memory, and names
// that stay in the folder.
func FuzzUnpack(f *testing.F) {
	good, err := pack(map[string][]byte{"manifest.json": []byte("{}"), "signatures/a": nil})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, true)
	f.Add(bomb(f, 1<<40, 0), true)
	zip, err := gzip.NewReader(bytes.NewReader(good))
	if err != nil {
		f.Fatal(err)
	}
	plain, err := io.ReadAll(zip)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain, false)
	f.Fuzz(func(t *testing.T, archive []byte, zipped bool) {
		if !zipped { // so that the fuzzer reaches the tar reader
			var out bytes.Buffer
			zip := gzip.NewWriter(&out)
			_, _ = zip.Write(archive)
			_ = zip.Close()
			archive = out.Bytes()
		}
		files, err := unpack(archive, 1<<20, maxEntries)
		if (files == nil) == (err == nil) {
			t.Fatalf("files %v with %v", files, err)
		}
		for name := range files {
			if path.IsAbs(name) || path.Clean(name) != name || strings.HasPrefix(name, "..") && (name == ".." || name[2] == '/') {
				t.Fatalf("%q leads out of the folder", name)
			}
		}
	})
}

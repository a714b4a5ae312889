package bundle

import (
	"bytes"
	"runtime"
	"testing"
)

// FuzzOpen puts any bytes in place of any file, once as they are and once under
// a manifest whose digests fit: whatever comes, no panic, memory in proportion
// to the input, and either a bundle or a finding that says why not.
func FuzzOpen(f *testing.F) {
	names := []string{ManifestFile, IRFile, IndexFile, PackFile, OriginsFile, FindingsFile}
	good := packed(f, tiny())
	for i, name := range names {
		f.Add(uint8(i), good.files[name])
	}
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		name := names[int(which)%len(names)]
		for _, honest := range []bool{false, true} {
			files := good.Files()
			files[name] = content
			if honest && name != ManifestFile {
				reseal(t, files, nil)
			}
			before := allocated()
			b, findings := FromFiles(files)
			if used := allocated() - before; used > 8<<20+500*uint64(len(content)) {
				t.Fatalf("%d bytes of %s took %d bytes of memory", len(content), name, used)
			}
			if (b == nil) == (len(findings) == 0) {
				t.Fatalf("bundle %v with findings %v", b != nil, findings)
			}
		}
	})
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// The bytes of what is refused are the caller's again: nothing reads them any more,
// which the race detector would tell.
func TestRefusedBytesAreTheCallersAgain(t *testing.T) {
	files := packed(t, tiny()).Files()
	files[PackFile] = append([]byte{0}, files[PackFile]...)
	for range 50 {
		ir := bytes.Clone(files[IRFile])
		files[IRFile] = ir
		if b, findings := FromFiles(files); b != nil || len(findings) == 0 {
			t.Fatal("a damaged pack is taken")
		}
		for i := range ir {
			ir[i] = '{'
		}
		files[IRFile] = packed(t, tiny()).Files()[IRFile]
	}
}

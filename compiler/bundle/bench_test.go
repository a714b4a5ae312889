package bundle

import (
	"path/filepath"
	"testing"
)

// Budget: a bundle of 1,000 services loads in well under 100 ms.
func BenchmarkOpen1000(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "bundle")
	packed := packed(b, sample(1000))
	if err := Write(dir, packed); err != nil {
		b.Fatal(err)
	}
	size := 0
	for _, f := range packed.files {
		size += len(f)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, findings, err := Open(dir); err != nil || len(findings) > 0 {
			b.Fatal(findings, err)
		}
	}
}

func BenchmarkPack1000(b *testing.B) {
	in := sample(1000)
	b.ReportAllocs()
	for b.Loop() {
		packed(b, in)
	}
}

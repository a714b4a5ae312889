package envoy_test

import (
	"testing"

	"github.com/meshc/meshc/compiler/envoy"
)

func BenchmarkLowerRefMesh(b *testing.B) {
	mesh := refMesh(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := envoy.Lower(mesh); err != nil {
			b.Fatal(err)
		}
	}
}

package envoy

import (
	"bytes"
	"strings"
	"testing"
)

// The bytes of a port's access log are those that protobuf makes of it.
func TestAPortsLogIsWrittenAsByProtobuf(t *testing.T) {
	for _, port := range []string{"", "shop/cart:80", strings.Repeat("a", 63) + "/" + strings.Repeat("b", 63) + ":65535", strings.Repeat("x", 300)} {
		want, err := wire.Marshal(stdoutLog([]logField{{"port", port}}))
		if err != nil {
			t.Fatal(err)
		}
		if got := portLog(port); !bytes.Equal(got, want) {
			t.Errorf("%q: %x, protobuf writes %x", port, got, want)
		}
	}
}

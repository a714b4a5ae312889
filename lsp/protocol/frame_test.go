package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/meshc/meshc/test/fuzz/guard"
)

func stream(in string, out io.Writer) *Stream {
	return NewStream(strings.NewReader(in), out, func() error { return nil })
}

func framed(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }

// One message that nobody can read does not end the conversation.
func TestAnUnreadableMessageIsAnsweredAndLeftOut(t *testing.T) {
	var out bytes.Buffer
	s := stream("Content-Type: x\r\n"+framed(`{"method": `)+"content-length: 16\n\n"+`{"method": "ok"}`, &out)
	var m struct{ Method string }
	if err := s.ReadObject(&m); err != nil || m.Method != "ok" {
		t.Errorf("%v, %q", err, m.Method)
	}
	if !strings.Contains(out.String(), "-32700") {
		t.Errorf("the editor hears %q", &out)
	}
	if err := s.ReadObject(&m); err != io.EOF {
		t.Errorf("the end is %v", err)
	}
}

func TestBrokenFramesEndTheConversation(t *testing.T) {
	for _, in := range []string{
		"Content-Length: 99999999999\r\n\r\n", "Content-Length: -1\r\n\r\n", "Content-Length: x\r\n\r\n", "\r\n", "no field\r\n\r\n",
		"Content-Length: 5\r\n\r\n{}", "Content-Le", strings.Repeat("A: b\r\n", 100), strings.Repeat("A", 1<<16),
	} {
		var m json.RawMessage
		if err := stream(in, io.Discard).ReadObject(&m); err == nil || err == io.EOF {
			t.Errorf("%.40q is read as %s, %v", in, m, err)
		}
	}
}

// Whatever comes in over the stream: it is read in bounded memory, and what is
// understood is what a frame holds.
func FuzzStream(f *testing.F) {
	f.Add([]byte(framed(`{"jsonrpc":"2.0","id":1,"method":"x"}`)))
	f.Add([]byte(framed(`{"a`) + framed(`[]`)))
	f.Add([]byte("Content-Length: 67108864\r\n\r\n{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<14 {
			return
		}
		guard.Run(t, 64<<20, func() {
			s := stream(string(in), io.Discard)
			for {
				var m json.RawMessage
				if s.ReadObject(&m) != nil {
					return
				}
				if !bytes.Contains(in, m) {
					t.Fatalf("%q was read, which nobody wrote", m)
				}
			}
		})
	})
}

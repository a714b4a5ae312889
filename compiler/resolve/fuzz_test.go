package resolve_test

import (
	"bytes"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/test/fuzz/guard"
)

// Whatever a lock holds (a merge's marks, a hand's slip, somebody's malice): a
// line that cannot be read is a finding at its place and pins nothing, and what
// was read is the same after it is written and read again.
func FuzzParseLock(f *testing.F) {
	f.Add([]byte(wholeLock))
	f.Add([]byte("<<<<<<< ours\nservice bank/a port=80\n=======\nservice bank/a port=81\n>>>>>>> theirs\n"))
	f.Add([]byte("# meshc.lock v2\nservice a/b account=spiffe://x port=65536\n"))
	f.Add([]byte("absent\nrole a/b service=c/d\r\nnamespace a label==: label=b\n\u00a0\nservice a/b port=1,target=,app=x/UDP"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var known ir.Known
		var found diag.List
		guard.Run(t, 8<<20+2000*uint64(len(data)), func() { known, found = resolve.ParseLock("meshc.lock", data) })
		lines := bytes.Count(data, []byte("\n")) + 1
		if len(known.Facts)+len(found) > lines {
			t.Errorf("%d lines hold %d facts and %d findings", lines, len(known.Facts), len(found))
		}
		unread := map[int]bool{}
		for _, x := range found {
			if x.At().Line < 1 || x.At().Line > lines {
				t.Errorf("%s stands in line %d of %d", x.Code, x.At().Line, lines)
			}
			unread[x.At().Line] = true
		}
		for _, fact := range known.Facts {
			if unread[fact.At.Line] {
				t.Errorf("line %d has a finding and pins %+v", fact.At.Line, fact)
			}
		}
		written := resolve.PrintLock(known)
		again, faults := resolve.ParseLock("meshc.lock", written)
		if len(faults) > 0 {
			t.Fatalf("what was read cannot be read when it is written: %s\n%s", faults[0].Message, written)
		}
		if twice := resolve.PrintLock(again); !bytes.Equal(twice, written) || len(again.Facts) != len(known.Facts) {
			t.Errorf("a lock changes when it is read and written:\n%s\n%s", written, twice)
		}
	})
}

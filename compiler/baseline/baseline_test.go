package baseline

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/test/fuzz/guard"
)

// found is a rule's error about an object, at a line.
func found(code diag.Code, name, message string, line int) diag.Finding {
	return diag.Finding{
		Code: code, Severity: diag.Error, Title: "a rule", Message: message,
		Object: &diag.Object{Kind: "TrafficTarget", Namespace: "shop", Name: name}, Path: "spec",
		Locations: []diag.Location{{Span: diag.Span{File: "a.yaml", Line: line, Col: 1}}},
	}
}

func written(t *testing.T, l diag.List) *Baseline {
	t.Helper()
	b, _ := Of(l)
	read, faults := Parse("old.txt", b.Print())
	if len(faults) > 0 {
		t.Fatalf("what was written cannot be read: %v", faults)
	}
	return read
}

func count(l diag.List) (counting, known, told int) {
	for _, f := range l {
		switch {
		case f.Code == CodeUnneeded:
			told++
		case f.Known:
			known++
		case f.Counts():
			counting++
		}
	}
	return
}

// What was there when the baseline was written fails no run; what is new does,
// wherever the old has moved to.
func TestOldFindingsDoNotCountAndNewOnesDo(t *testing.T) {
	old := diag.List{found("ACME001", "web", "no owner", 3), found("ACME002", "web", "too wide", 9)}
	b := written(t, old)
	now := diag.List{found("ACME001", "web", "no owner", 40), found("ACME002", "web", "too wide", 7), found("ACME001", "cart", "no owner", 50)}
	got := b.Apply(now)
	if c, k, u := count(got); c != 1 || k != 2 || u != 0 {
		t.Errorf("%d count, %d are known, %d entries are unneeded; want 1, 2, 0", c, k, u)
	}
	if !got.HasErrors() {
		t.Error("the new finding does not fail the run")
	}
}

// A second fault of the same words is a new one: the baseline has it once.
func TestAnEntryIsForOneFinding(t *testing.T) {
	b := written(t, diag.List{found("ACME001", "web", "no owner", 3)})
	if c, k, _ := count(b.Apply(diag.List{found("ACME001", "web", "no owner", 3), found("ACME001", "web", "no owner", 8)})); c != 1 || k != 1 {
		t.Errorf("%d count and %d are known, want 1 and 1", c, k)
	}
}

// Who mends a fault is told which line of the baseline to delete, and the fix
// deletes just that.
func TestAnEntryThatNothingNeedsIsTold(t *testing.T) {
	b := written(t, diag.List{found("ACME001", "web", "no owner", 3), found("ACME002", "web", "too wide", 9)})
	got := b.Apply(diag.List{found("ACME002", "web", "too wide", 9)})
	i := slices.IndexFunc(got, func(f diag.Finding) bool { return f.Code == CodeUnneeded })
	if i < 0 || got[i].Severity != diag.Info || got[i].At().Line != 4 {
		t.Fatalf("found %v", got)
	}
	if e := got[i].Fixes[0].Edits[0]; e.Line != 4 || e.EndLine != 5 || e.Col != 1 || e.EndCol != 1 || e.NewText != "" {
		t.Errorf("the fix is %+v", e)
	}
}

// An error of the compiler is written to no baseline and lifted by none, even by
// one that was written by hand: there is nothing defined to build.
func TestErrorsThatHinderLoweringAreNeverLifted(t *testing.T) {
	broken := diag.New("MSH1004", diag.Span{File: "a.yaml", Line: 1, Col: 1}, "there is no route")
	b, left := Of(diag.List{broken})
	if b.Len() != 0 || left != 1 {
		t.Errorf("%d entries, %d left out", b.Len(), left)
	}
	byHand := title + "\nMSH1004 - " + broken.Mark() + " there is no route\n"
	read, faults := Parse("old.txt", []byte(byHand))
	if len(faults) != 1 || faults[0].Code != "MSH0904" || faults[0].At().Line != 2 {
		t.Errorf("found %v", faults)
	}
	if got := read.Apply(diag.List{broken}); !got.HasErrors() {
		t.Error("the error is lifted")
	}
}

// A waiver says who answers for it: what it accepts is its own, is not written,
// and keeps its line in the baseline from being called unneeded.
func TestWaivedFindingsAreTheWaivers(t *testing.T) {
	f := found("ACME001", "web", "no owner", 3)
	b := written(t, diag.List{f})
	f.Waiver = &diag.Waiver{Reason: "r", Owner: "o", Expires: "2027-01-01"}
	if fresh, _ := Of(diag.List{f}); fresh.Len() != 0 {
		t.Error("a waived finding is written")
	}
	if got := b.Apply(diag.List{f}); len(got) != 1 || got[0].Known {
		t.Errorf("found %+v", got)
	}
}

func TestDamageIsFoundAtItsPlace(t *testing.T) {
	good := "ACME001 TrafficTarget/shop/web 0123456789abcdef0123456789abcdef no owner\n"
	for _, c := range []struct {
		name, text string
		at         string
		says       string
	}{
		{"empty", "", "1:1", "empty"},
		{"another file", "apiVersion: v1\n" + good, "1:1", "begin"},
		{"a later form", "# meshc baseline v2\n" + good, "1:1", "begin"},
		{"a merge conflict", head + "<<<<<<< HEAD\n" + good, "4:1", "conflict"},
		{"a cut line", head + good + "ACME002 TrafficTarget/shop/web 0123", "5:32", "fingerprint"},
		{"no code", head + "acme TrafficTarget/shop/web 0123456789abcdef0123456789abcdef x\n", "4:1", "code"},
		{"bytes", head + "ACME001 \xff\xfe 0123456789abcdef0123456789abcdef x\n", "4:1", "UTF-8"},
	} {
		_, got := Parse("old.txt", []byte(c.text))
		if len(got) != 1 || got[0].Code != CodeDamaged || !strings.HasSuffix(got[0].At().String(), c.at) || !strings.Contains(got[0].Message, c.says) {
			t.Errorf("%s: found %v, want it at %s", c.name, got, c.at)
		}
	}
	windows, got := Parse("old.txt", []byte(strings.ReplaceAll(head+good+good, "\n", "\r\n")))
	if len(got) > 0 || windows.Len() != 1 {
		t.Errorf("line ends of Windows and a line that a merge wrote twice: %d entries, found %v", windows.Len(), got)
	}
}

// The file is the same whatever the order of the findings, and what two branches
// wrote comes together line by line.
func TestTheFileIsSortedAndMerges(t *testing.T) {
	var l diag.List
	for i := range 20 {
		l.Add(found(diag.Code(fmt.Sprintf("ACME%03d", i%3)), fmt.Sprintf("web-%d", i), "a\nmessage of  two lines", i))
	}
	first, _ := Of(l)
	slices.Reverse(l)
	second, _ := Of(l)
	if string(first.Print()) != string(second.Print()) {
		t.Error("the order of findings shows in the file")
	}
	a, _ := Of(l[:12])
	b, _ := Of(l[8:])
	if string(a.And(b).Print()) != string(first.Print()) {
		t.Error("two baselines together are not the baseline of all")
	}
	if lines := strings.Split(strings.TrimSpace(string(first.Print())), "\n"); !slices.IsSorted(lines[3:]) || len(lines) != 23 {
		t.Errorf("%d lines, sorted: %v", len(lines), slices.IsSorted(lines[3:]))
	}
}

// Whatever the file holds, no finding is lifted that it does not name, and nothing
// panics or takes long.
func FuzzParse(f *testing.F) {
	b, _ := Of(diag.List{found("ACME001", "web", "no owner", 3)})
	f.Add(b.Print())
	f.Add([]byte(head + "<<<<<<< HEAD\n\xff"))
	f.Add([]byte(strings.Repeat("x y z\n", 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		guard.Run(t, 16<<20+200*uint64(len(data)), func() {
			b, _ := Parse("old.txt", data)
			b.Apply(diag.List{found("ACME001", "web", "no owner", 3)})
			got := b.Apply(diag.List{diag.New("MSH1004", diag.Span{File: "a.yaml", Line: 1, Col: 1}, "there is no route")})
			if !got.HasErrors() {
				t.Error("an error of the compiler is lifted")
			}
			if again, faults := Parse("old.txt", b.Print()); len(faults) > 0 || again.Len() != b.Len() {
				t.Errorf("%d entries are written, %d read: %v", b.Len(), again.Len(), faults)
			}
		})
	})
}

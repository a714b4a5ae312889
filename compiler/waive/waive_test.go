package waive

import (
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

var (
	now = date2("2026-06-15").Add(13 * time.Hour)
	web = diag.Object{Kind: "TrafficTarget", Namespace: "shop", Name: "web"}
)

func date2(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return d
}

func waiver(code diag.Code, expires string) syntax.Waiver {
	return syntax.Waiver{
		Code: code, Target: syntax.WaiverTarget{Kind: "TrafficTarget", Namespace: "shop", Name: "w*"},
		Reason: "r", Owner: "o", Expires: date2(expires), At: diag.Span{File: "meshc.yaml", Line: 6, Col: 5},
	}
}

// rule is a finding of a rule, which is in no table of codes.
func rule(o diag.Object, path string) diag.Finding {
	f := diag.New("MSH1014", diag.Span{File: "policy.yaml", Line: 3, Col: 1}, "no").About(o, path)
	f.Code, f.Severity = "ACME001", diag.Error
	return f
}

func codes(l diag.List) (out []diag.Code) {
	for _, f := range l {
		out = append(out, f.Code)
	}
	return out
}

func TestAWaiverHoldsThroughItsLastDay(t *testing.T) {
	w := waiver("ACME001", "2026-07-31")
	for _, c := range []struct {
		at     string
		counts bool
		also   diag.Code
	}{
		{"2026-06-15T13:00:00Z", false, ""},
		{"2026-07-18T23:59:59Z", false, "MSH0901"},
		{"2026-07-31T23:59:59Z", false, "MSH0901"},
		{"2026-08-01T00:00:00Z", true, ""},
		{"2026-05-02T00:00:00Z", false, ""},
		{"2026-05-01T23:59:59Z", true, "MSH0903"}, // 90 days and a second
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		got := Apply(diag.List{rule(web, "spec.rules[0]")}, []syntax.Waiver{w}, 0, at)
		f, also := got[len(got)-1], diag.Code("")
		if len(got) == 2 {
			also = got[0].Code
		}
		if f.Counts() != c.counts || also != c.also || len(got) > 2 {
			t.Errorf("at %s: counts %v, want %v; found %v, want %q beside it", c.at, f.Counts(), c.counts, codes(got), c.also)
		}
	}
}

func TestAFindingReturnsWithTheWaiverThatEnded(t *testing.T) {
	ws := []syntax.Waiver{waiver("ACME001", "2026-02-01"), waiver("ACME001", "2026-05-01")}
	got := Apply(diag.List{rule(web, "")}, ws, 0, now)
	if len(got) != 1 || !got.HasErrors() || len(got[0].Related) != 1 || got[0].Related[0].Label != "the waiver ended on 2026-05-01" {
		t.Errorf("found %+v", got)
	}
}

func TestAWaiverIsForItsTargetOnly(t *testing.T) {
	below := waiver("ACME001", "2026-08-01")
	below.Path = "spec.rules"
	for _, c := range []struct {
		w      syntax.Waiver
		o      diag.Object
		path   string
		waived bool
	}{
		{waiver("ACME001", "2026-08-01"), web, "", true},
		{waiver("ACME002", "2026-08-01"), web, "", false},
		{waiver("ACME001", "2026-08-01"), diag.Object{Kind: "TrafficTarget", Namespace: "shops", Name: "web"}, "", false},
		{waiver("ACME001", "2026-08-01"), diag.Object{Kind: "TrafficSplit", Namespace: "shop", Name: "web"}, "", false},
		{waiver("ACME001", "2026-08-01"), diag.Object{Kind: "TrafficTarget", Namespace: "shop", Name: "front"}, "", false},
		{below, web, "spec.rules[2].name", true},
		{below, web, "spec.rules", true},
		{below, web, "spec.rulesets[0]", false},
		{below, web, "spec", false},
	} {
		got := Apply(diag.List{rule(c.o, c.path)}, []syntax.Waiver{c.w}, 0, now)
		if waived := !got.HasErrors(); waived != c.waived {
			t.Errorf("%+v on %v %s: waived %v", c.w, c.o, c.path, waived)
		}
		if unused := got[0].Code == "MSH0902"; unused == c.waived {
			t.Errorf("%+v on %v %s: found %v", c.w, c.o, c.path, codes(got))
		}
	}
}

// An error of the compiler stays one whatever a list of waivers says: a build
// goes on where no error counts, and must never lower what did not resolve.
func TestErrorsOfTheCompilerAreNeverWaived(t *testing.T) {
	n := 0
	for _, e := range diag.Codes() {
		// What others judge by, how rules are written and policies of conftest, resolved.
		judged := e.Code >= "MSH0620" && e.Code <= "MSH0631" || e.Code == "MSH0650" || e.Code == "MSH0651"
		if e.Build < diag.Error && e.Code[:4] != "MSH0" || judged {
			continue
		}
		n++
		got := Apply(diag.List{diag.New(e.Code, diag.Span{File: "a.yaml"}, "no").About(web, "")}, []syntax.Waiver{waiver(e.Code, "2026-08-01")}, 0, now)
		for _, f := range got {
			if f.Waiver != nil {
				t.Errorf("%s is waived", f.Code)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d codes were looked at", n)
	}
}

func TestAPartOfARunDoesNotTellWhichWaiversAreNeeded(t *testing.T) {
	ws := []syntax.Waiver{waiver("ACME001", "2026-06-20"), waiver("ACME009", "2026-08-01")}
	got := Mark(diag.List{rule(web, "")}, ws, 0, now)
	if len(got) != 1 || got[0].Waiver == nil {
		t.Errorf("found %+v", got)
	}
}

func TestASettingBoundsHowLongAWaiverLasts(t *testing.T) {
	ws := []syntax.Waiver{waiver("ACME001", "2026-07-31")}
	if got := Apply(diag.List{rule(web, "")}, ws, 30*day, now); !got.HasErrors() || got[0].Code != "MSH0903" {
		t.Errorf("46 days pass for 30: %v", codes(got))
	}
}

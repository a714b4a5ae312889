package validate

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
)

const glassKind = "BreakGlass"

// glass is what a BreakGlass says.
type glass struct {
	Spec map[string]any `json:"spec"`
}

func (g glass) text(field string) string {
	s, _ := g.Spec[field].(string)
	return s
}

// recordFaults are what is wrong with a BreakGlass as a record: who it names must be
// who asks, and what it says stays, but for an end before its time. Whether it opens
// anything is the compiler's to say: found is what it says.
func recordFaults(r *Request, found diag.List) diag.List {
	var now, old glass
	if json.Unmarshal(r.Object, &now) != nil { // the decoder says what is wrong with it
		return nil
	}
	user := r.UserInfo.Username
	if r.Operation == "CREATE" {
		if over(now, found) || now.text("by") == user || now.text("by") == "" {
			return nil // a record of what is over opens nothing: backups are restored by others
		}
		return diag.List{fault(r, "MSH1105", "by", "%q is to have opened it, and the request is by %q", now.text("by"), user).
			WithHelp("write `by: %s`", user)}
	}
	if r.Operation != "UPDATE" || json.Unmarshal(r.OldObject, &old) != nil {
		return nil
	}
	var faults diag.List
	if by := now.text("endedBy"); by != old.text("endedBy") {
		switch {
		case old.text("endedBy") != "":
			faults.Add(fault(r, "MSH1106", "endedBy", "%q ended it, and that stays", old.text("endedBy")))
		case by != user:
			faults.Add(fault(r, "MSH1105", "endedBy", "%q is to have ended it, and the request is by %q", by, user).WithHelp("write `endedBy: %s`", user))
		}
	}
	for _, field := range []string{"from", "to", "reason", "by", "until"} {
		if !reflect.DeepEqual(now.Spec[field], old.Spec[field]) {
			faults.Add(fault(r, "MSH1106", field, "`%s` of a BreakGlass stays as it was written: %v", field, old.Spec[field]).
				WithHelp("end this one with `meshc breakglass end %s/%s`, and open another", r.Namespace, r.Name))
		}
	}
	return faults
}

// codeOver is the finding of a BreakGlass whose time is over.
const codeOver diag.Code = "MSH1107"

// over tells whether a BreakGlass that comes is the record of one that has ended.
func over(g glass, found diag.List) bool {
	return g.text("endedBy") != "" || slices.ContainsFunc(found, func(f diag.Finding) bool { return f.Code == codeOver })
}

func fault(r *Request, code diag.Code, field, format string, args ...any) diag.Finding {
	return diag.New(code, diag.Span{File: glassKind + "/" + r.Namespace + "/" + r.Name}, format, args...).
		WithEffect("it is not taken").
		About(diag.Object{Group: r.Kind.Group, Kind: r.Kind.Kind, Namespace: r.Namespace, Name: r.Name}, "spec."+field)
}

package validate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// Bounds of what kubectl shows well: characters of a warning, and how many.
const (
	warningLength = 120
	mostWarnings  = 30
)

// Answer allows a request, with warnings, unless there are errors. UID is the request's.
func Answer(uid string, errors, warnings diag.List) *Response {
	out := &Response{UID: uid, Allowed: true}
	if len(errors) > 0 {
		return deny(out, errors, warnings)
	}
	return annotated(warn(out, warnings), warnings)
}

// deny answers with every finding that denies: who mends one must not meet the next.
func deny(out *Response, errors, warnings diag.List) *Response {
	// Of a reason Invalid kubectl would show the causes alone, without code, effect and help.
	status := &Status{Status: "Failure", Code: http.StatusForbidden, Reason: "Forbidden", Details: &Details{}}
	var texts []string
	for _, f := range errors {
		texts = append(texts, text(f))
		status.Details.Causes = append(status.Details.Causes, Cause{Reason: string(f.Code), Message: f.Message, Field: f.Path})
	}
	status.Message = strings.Join(texts, "\n")
	out.Allowed, out.Status = false, status
	return annotated(warn(out, warnings), append(slices.Clone(errors), warnings...))
}

// text is a finding in a denial: code, what, where, what it means and what to do.
func text(f diag.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s] %s", f.Code, f.Message)
	if f.Object != nil {
		fmt.Fprintf(&b, " (%s", f.Object)
		if f.Path != "" {
			fmt.Fprintf(&b, ", %s", f.Path)
		}
		b.WriteString(")")
	}
	if f.Effect != "" {
		fmt.Fprintf(&b, "; effect: %s", f.Effect)
	}
	if f.Help != "" {
		fmt.Fprintf(&b, "; help: %s", f.Help)
	}
	fmt.Fprintf(&b, "; see `meshc explain %s`", f.Code)
	return b.String()
}

func warn(out *Response, warnings diag.List) *Response {
	for i, f := range warnings {
		if i == mostWarnings {
			out.Warnings = append(out.Warnings, fmt.Sprintf("and %d more, see `meshc check`", len(warnings)-i))
			break
		}
		w := []rune(fmt.Sprintf("%s: %s", f.Code, f.Message))
		if len(w) > warningLength {
			w = append(w[:warningLength-1], '…')
		}
		out.Warnings = append(out.Warnings, string(w))
	}
	return out
}

// annotated names the codes in the API server's audit log.
func annotated(out *Response, found diag.List) *Response {
	var codes []string
	for _, f := range found {
		codes = append(codes, string(f.Code))
	}
	slices.Sort(codes)
	if codes = slices.Compact(codes); len(codes) > 0 {
		out.AuditAnnotations = map[string]string{"findings": strings.Join(codes, ",")}
	}
	return out
}

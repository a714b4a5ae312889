package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
)

var sha256Digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// goBack judges what was said of going back to an older bundle, and sets how it is
// told what that opens.
func (f *serveFlags) goBack() error {
	switch {
	case f.follow.Rollback == "" && f.follow.AllowWiden:
		return usage(errors.New("--allow-widen belongs to --rollback DIGEST"))
	case f.follow.Rollback != "" && !sha256Digest.MatchString(f.follow.Rollback):
		return usage(fmt.Errorf("--rollback %q is no digest: write sha256: and 64 hex digits, as `meshc verify` prints them", f.follow.Rollback))
	}
	f.follow.Widened = func(was, is *ir.Mesh) []string {
		var out []string
		for _, c := range diff.Meshes(was, is).Widening() {
			out = append(out, c.Text)
		}
		return out
	}
	return nil
}

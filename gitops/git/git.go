// Package git reads folders as they were at a commit, out of a repository's
// object store: no checkout, no index, no network. In comes a revision, out comes
// an fs.FS. It runs the git that is installed, which knows every format of
// repository, and only commands that read.
package git

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoRepository says that a folder lies in no repository.
var ErrNoRepository = errors.New("not in a Git repository")

// Repository is a repository on disk.
type Repository struct {
	// Top is the absolute path of the work tree.
	Top string
}

// Open finds the repository that a folder lies in.
func Open(dir string) (*Repository, error) {
	out, err := run(dir, "rev-parse", "--show-toplevel")
	if err != nil {
		if _, lacking := exec.LookPath("git"); lacking != nil {
			return nil, fmt.Errorf("git is not installed: %w", lacking)
		}
		return nil, fmt.Errorf("%s: %w", dir, ErrNoRepository)
	}
	return &Repository{Top: filepath.FromSlash(strings.TrimRight(string(out), "\r\n"))}, nil
}

// Commit is the full name of the commit that a revision means: a branch, a tag,
// HEAD~1, or a commit's name.
func (r *Repository) Commit(revision string) (string, error) {
	out, err := run(r.Top, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%q is no commit of the repository in %s", revision, r.Top)
	}
	return strings.TrimSpace(string(out)), nil
}

// MergeBase is the commit at which two revisions part.
func (r *Repository) MergeBase(a, b string) (string, error) {
	out, err := run(r.Top, "merge-base", "--end-of-options", a, b)
	if err != nil {
		return "", fmt.Errorf("%q and %q have no common commit", a, b)
	}
	return strings.TrimSpace(string(out)), nil
}

// run gives what a command that reads prints.
func run(dir string, args ...string) ([]byte, error) {
	cmd := command(dir, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		if said := strings.TrimSpace(complaint.String()); said != "" {
			return nil, fmt.Errorf("git %s: %s", args[0], said)
		}
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return out, nil
}

// command is a git that takes no locks, asks nobody anything and fetches nothing.
func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", append([]string{"-c", "core.fsmonitor=false", "-c", "core.quotePath=false"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1", "LC_ALL=C")
	return cmd
}

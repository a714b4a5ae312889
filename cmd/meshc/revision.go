package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// revision is where the sources of a build stand in Git.
type revision struct {
	Name  string // the commit, with -dirty if an input is not as committed
	Epoch int64  // the time of the commit, in seconds since 1970
}

// sourceFile is an input of a build.
type sourceFile struct {
	path string // relative to the working directory, or absolute
	data []byte
}

// gitPatience bounds what is asked of git: a build does not hang on it.
const gitPatience = 20 * time.Second

// gitRevision finds the commit that the inputs are of. There is none without
// git, outside of a repository, and when no input is in the commit.
func gitRevision(inputs []sourceFile) (revision, bool) {
	if len(inputs) == 0 {
		return revision{}, false
	}
	dir := filepath.Dir(inputs[0].path)
	ctx, cancel := context.WithTimeout(context.Background(), gitPatience)
	defer cancel()
	out, err := git(ctx, dir, nil, "log", "-1", "--format=%H %ct")
	if err != nil {
		return revision{}, false
	}
	commit, when, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	epoch, err := strconv.ParseInt(when, 10, 64)
	if err != nil || epoch <= 0 {
		return revision{}, false
	}
	committed, dirty := held(ctx, dir, commit, inputs)
	if committed == 0 {
		return revision{}, false
	}
	if dirty {
		commit += "-dirty"
	}
	return revision{Name: commit, Epoch: epoch}, true
}

// git runs git so that nothing in a repository's own configuration is executed.
func git(ctx context.Context, dir string, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-C", dir}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	return cmd.Output()
}

// held counts the inputs that are in the commit, and tells whether one is not as
// committed. The bytes that were compiled are compared, by Git's name of them:
// the folder may have changed since, and git status would run filters.
func held(ctx context.Context, dir, commit string, inputs []sourceFile) (committed int, dirty bool) {
	var ask bytes.Buffer
	var asked []sourceFile
	for _, in := range inputs {
		path, err := filepath.Rel(dir, in.path)
		if err != nil || strings.ContainsAny(path, "\n") {
			dirty = true
			continue
		}
		if path = filepath.ToSlash(path); !strings.HasPrefix(path, "../") {
			path = "./" + path
		}
		fmt.Fprintf(&ask, "%s:%s\n", commit, path)
		asked = append(asked, in)
	}
	out, err := git(ctx, dir, ask.Bytes(), "cat-file", "--batch-check")
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if err != nil || len(lines) != len(asked) {
		return 0, true
	}
	for i, line := range lines {
		id, kind, _ := strings.Cut(line, " ")
		switch {
		case !strings.HasPrefix(kind, "blob "):
			dirty = true // not in the commit
		case id != blobID(asked[i].data, len(id)):
			committed++
			dirty = true
		default:
			committed++
		}
	}
	return committed, dirty
}

// blobID is Git's name of a file's content, in the hash of the repository.
func blobID(data []byte, digits int) string {
	var h hash.Hash = sha1.New()
	if digits == 2*sha256.Size {
		h = sha256.New()
	}
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

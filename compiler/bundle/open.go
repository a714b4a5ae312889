package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// Limits of what a reader takes into memory, in bytes. A mesh of 10,000 services
// stays under a tenth of each.
const (
	maxManifest = 16 << 20
	maxFile     = 512 << 20
	maxPack     = 1 << 30
)

func limit(name string) int64 {
	switch name {
	case ManifestFile:
		return maxManifest
	case PackFile:
		return maxPack
	}
	if _, ok := signatureName(name); ok {
		return maxSignature
	}
	return maxFile
}

// Open reads a bundle from a folder. What is wrong with its content is a
// finding, and then there is no bundle; error means that it could not be read.
func Open(dir string) (*Bundle, diag.List, error) {
	for attempt := 0; ; attempt++ {
		b, findings, err := openOnce(dir)
		if !errors.Is(err, errReplaced) {
			return b, findings, err
		}
		if attempt == 100 {
			return nil, nil, fmt.Errorf("%s: %w", dir, err)
		}
	}
}

// errReplaced: a writer put another bundle at the name while this one was read.
var errReplaced = errors.New("the bundle was replaced again and again while it was read")

func openOnce(dir string) (*Bundle, diag.List, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	files, findings, err := readFiles(root)
	if err != nil {
		return nil, nil, err
	}
	var b *Bundle
	if len(findings) == 0 {
		b, findings = FromFiles(files)
	}
	if len(findings) > 0 && replaced(root, dir) {
		return nil, nil, errReplaced
	}
	for i := range findings {
		findings[i] = under(dir, findings[i])
	}
	return b, findings, nil
}

// replaced tells whether the name leads to another folder by now: what is
// missing in the old one says nothing of the new one.
func replaced(root *os.Root, dir string) bool {
	was, err1 := root.Stat(".")
	is, err2 := os.Stat(dir)
	return err1 == nil && err2 == nil && !os.SameFile(was, is)
}

func readFiles(root *os.Root) (map[string][]byte, diag.List, error) {
	files := map[string][]byte{}
	for _, name := range []string{ManifestFile, IRFile, IndexFile, PackFile, OriginsFile, FindingsFile} {
		content, finding, err := readFile(root, name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // FromFiles says what that means
		case err != nil:
			return nil, nil, err
		case finding != nil:
			return nil, diag.List{*finding}, nil
		default:
			files[name] = content
		}
	}
	finding, err := readSignatures(root, files)
	switch {
	case err != nil:
		return nil, nil, err
	case finding != nil:
		return nil, diag.List{*finding}, nil
	}
	return files, nil, nil
}

// under puts the folder before the file that a finding is about.
func under(dir string, f diag.Finding) diag.Finding {
	at := f.At()
	at.File = strings.TrimSuffix(dir, "/") + "/" + at.File
	f.Locations = []diag.Location{{Span: at, Label: f.Locations[0].Label}}
	return f
}

// readFile reads a regular file of a bounded size.
func readFile(root *os.Root, name string) ([]byte, *diag.Finding, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		f := damaged(name, 0, "is no regular file")
		return nil, &f, nil
	}
	if info.Size() > limit(name) {
		f := tooLarge(name, info.Size(), limit(name))
		return nil, &f, nil
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	content := make([]byte, info.Size())
	n, err := io.ReadFull(file, content)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, err
	}
	return content[:n], nil, nil // a file that shrank meanwhile fails its digest
}

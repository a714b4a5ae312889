package bundle

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// SignaturesDir holds signatures of the bundle's digest. They are no part of
// either digest, so that a bundle can be signed after it was built; what they
// say is for compiler/bundle/signature to judge.
const SignaturesDir = "signatures"

// Limits of what is read of signatures: far above what signers write.
const (
	maxSignatures = 32
	maxSignature  = 64 << 10
)

// Signatures are the files of SignaturesDir by their path in the bundle. The
// bytes are shared: leave them alone.
func (b *Bundle) Signatures() map[string][]byte {
	out := map[string][]byte{}
	for path, content := range b.files {
		if _, ok := signatureName(path); ok {
			out[path] = content
		}
	}
	return out
}

// WithSignature is the bundle with one more file in SignaturesDir, or with
// another content of that file.
func (b *Bundle) WithSignature(name string, content []byte) *Bundle {
	out := *b
	out.files = maps.Clone(b.files)
	out.files[SignaturesDir+"/"+name] = content
	return &out
}

// signatureName is the name of a file of SignaturesDir. Hidden files, and files
// in folders below it, are none.
func signatureName(path string) (string, bool) {
	name, ok := strings.CutPrefix(path, SignaturesDir+"/")
	return name, ok && name != "" && name[0] != '.' && !strings.Contains(name, "/")
}

// takeSignatures takes them over from the files that a bundle is read from.
func (b *Bundle) takeSignatures(files map[string][]byte) *diag.Finding {
	count := 0
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if _, ok := signatureName(path); !ok {
			continue
		}
		if count++; count > maxSignatures {
			return tooManySignatures()
		}
		if len(files[path]) > maxSignature {
			f := tooLarge(path, int64(len(files[path])), maxSignature)
			return &f
		}
		b.files[path] = files[path]
	}
	return nil
}

func tooManySignatures() *diag.Finding {
	f := diag.New("MSH0407", diag.Span{File: SignaturesDir}, "%q holds more than %d files", SignaturesDir, maxSignatures).
		WithEffect("the bundle is not loaded; what was served before stays served").
		WithHelp("build the bundle again and sign it with the keys that count")
	return &f
}

func tooLarge(name string, size, limit int64) diag.Finding {
	return diag.New("MSH0407", diag.Span{File: name}, "%q has %d bytes; at most %d are read", name, size, limit).
		WithEffect("the bundle is not loaded; what was served before stays served")
}

// readSignatures adds the files of SignaturesDir, if there are any.
func readSignatures(root *os.Root, files map[string][]byte) (*diag.Finding, error) {
	dir, err := root.Open(SignaturesDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxSignatures + 2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(names) > maxSignatures {
		return tooManySignatures(), nil
	}
	for _, name := range names {
		path := SignaturesDir + "/" + name
		if _, ok := signatureName(path); !ok {
			continue
		}
		if info, err := root.Stat(path); err == nil && info.IsDir() {
			continue
		}
		content, finding, err := readFile(root, path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // taken away since
		case err != nil || finding != nil:
			return finding, err
		default:
			files[path] = content
		}
	}
	return nil, nil
}

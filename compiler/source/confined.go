package source

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// mount is where kustomize finds the tree: an absolute path, so that nothing in
// it can be taken for a URL, and not the root, so that `..` cannot leave it unseen.
const mount = "/tree"

var errReadOnly = errors.New("the tree is read only")

// confined is the file system that kustomize sees: the files of one place, read
// only. The os.Root or the memory below it lets no path and no link out.
type confined struct {
	l    *loader
	p    *place
	root string // the kustomization file that gets the build metadata
}

var _ filesys.FileSystem = (*confined)(nil)

// rel is a path in the place; ok is false when it lies outside.
func (c *confined) rel(name string) (string, bool) {
	if !path.IsAbs(name) {
		name = path.Join(mount, name)
	}
	name = path.Clean(name)
	if name == mount {
		return ".", true
	}
	return strings.CutPrefix(name, mount+"/")
}

func (c *confined) stat(name string) (fs.FileInfo, error) {
	rel, ok := c.rel(name)
	if !ok {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: errors.New("outside of the tree")}
	}
	return fs.Stat(c.p.fsys, rel)
}

// ReadFile reads a file as kustomize shall see it: repaired as Clean does, and
// the root kustomization with a request for the origins of all objects.
func (c *confined) ReadFile(name string) ([]byte, error) {
	rel, ok := c.rel(name)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("outside of the tree")}
	}
	data, err := c.l.read(c.p, rel)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("too large")}
	}
	c.l.tree.Keep(c.p.name(rel), data)
	if isManifest(rel) || isKustomization(path.Base(rel)) {
		data, _ = Clean(c.p.name(rel), data)
	}
	if rel == c.root {
		data = withMetadata(data)
	}
	return data, nil
}

// metadataLine asks kustomize to say where each object and change came from.
const metadataLine = "buildMetadata: [originAnnotations, transformerAnnotations]"

// withMetadata adds the request to a kustomization, whatever it asks for itself.
func withMetadata(data []byte) []byte {
	root, err := parseNode(data)
	if err != nil || root == nil || root.Kind != yaml.MappingNode {
		return data // kustomize says what is wrong with it
	}
	if k, _ := Step(root, "buildMetadata"); k == nil && root.Style&yaml.FlowStyle == 0 && !bytes.Contains(data, []byte("\n...")) {
		return append(append(bytes.TrimRight(bytes.Clone(data), " \n"), '\n'), metadataLine+"\n"...)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "buildMetadata" {
			root.Content = append(root.Content[:i], root.Content[i+2:]...)
			break
		}
	}
	want, _ := parseNode([]byte(metadataLine))
	root.Content = append(root.Content, want.Content...)
	out, err := yaml.Marshal(root)
	if err != nil {
		return data
	}
	return out
}

// CleanedAbs gives the folder and the file name of a path.
func (c *confined) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	info, err := c.stat(name)
	if err != nil {
		return "", "", err
	}
	rel, _ := c.rel(name)
	full := path.Join(mount, rel)
	if info.IsDir() {
		return filesys.ConfirmedDir(full), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(full)), path.Base(full), nil
}

// IsDir tells whether a folder of this name exists.
func (c *confined) IsDir(name string) bool {
	info, err := c.stat(name)
	return err == nil && info.IsDir()
}

// Exists tells whether a file or folder of this name exists.
func (c *confined) Exists(name string) bool {
	_, err := c.stat(name)
	return err == nil
}

// ReadDir lists the names in a folder, sorted.
func (c *confined) ReadDir(name string) ([]string, error) {
	rel, ok := c.rel(name)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("outside of the tree")}
	}
	entries, err := fs.ReadDir(c.p.fsys, rel)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// Glob lists the paths that match a pattern.
func (c *confined) Glob(pattern string) ([]string, error) {
	rel, ok := c.rel(pattern)
	if !ok {
		return nil, nil
	}
	found, err := fs.Glob(c.p.fsys, rel)
	for i := range found {
		found[i] = path.Join(mount, found[i])
	}
	return found, err
}

// Walk is not needed by a build.
func (c *confined) Walk(string, filepath.WalkFunc) error { return errReadOnly }

// Open is not needed by a build: kustomize reads whole files.
func (c *confined) Open(string) (filesys.File, error) { return nil, errReadOnly }

// Create is refused, as is every other change.
func (c *confined) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir is refused.
func (c *confined) Mkdir(string) error { return errReadOnly }

// MkdirAll is refused.
func (c *confined) MkdirAll(string) error { return errReadOnly }

// RemoveAll is refused.
func (c *confined) RemoveAll(string) error { return errReadOnly }

// WriteFile is refused.
func (c *confined) WriteFile(string, []byte) error { return errReadOnly }

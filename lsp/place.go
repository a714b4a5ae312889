package lsp

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/source"
)

// place is where a mesh lies.
type place struct {
	// root is the folder that names of files are relative to, which nothing in the
	// mesh may leave: the repository, else the folder that is open. Empty: the mesh
	// is one document that is no file.
	root string
	// dir is the folder of the mesh.
	dir string
	// file is the one file of a mesh without a folder: its path, or its URI.
	file string
	// ruled: a meshc.yaml lies in dir.
	ruled bool
}

// most bounds how many files and folders are looked at in search of a meshc.yaml.
const most = 100_000

// meshes finds the meshes of folders: every meshc.yaml below, else the one above,
// else the folder itself is one, without settings.
func meshes(folders []string) []place {
	var out []place
	add := func(p place) {
		if !slices.ContainsFunc(out, func(o place) bool { return o.dir == p.dir }) {
			out = append(out, p)
		}
	}
	for _, f := range folders {
		found := false
		for _, dir := range configs(f) {
			found = true
			add(place{root: rootOf(dir, f), dir: dir, ruled: true})
		}
		if dir, ok := configAbove(f); ok && dir != f {
			found = true
			add(place{root: rootOf(dir, dir), dir: dir, ruled: true})
		}
		if info, err := os.Stat(f); !found && err == nil && info.IsDir() {
			add(place{root: rootOf(f, f), dir: f})
		}
	}
	return out
}

// configs are the folders below one that hold a meshc.yaml, in order.
func configs(top string) []string {
	var out []string
	seen := 0
	_ = filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error { // what cannot be read holds nothing
		seen++
		switch {
		case err != nil || seen > most:
			return fs.SkipDir
		case d.IsDir() && name != top && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.Name() == source.ConfigName && d.Type().IsRegular():
			out = append(out, filepath.Dir(name))
		}
		return nil
	})
	return out
}

// placeOf is the mesh of a document that no open folder holds.
func placeOf(key string) place {
	if !filepath.IsAbs(key) {
		return place{file: key}
	}
	dir := filepath.Dir(key)
	if above, ok := configAbove(dir); ok {
		return place{root: rootOf(above, above), dir: above, ruled: true}
	}
	return place{root: dir, dir: dir, file: key}
}

// configAbove is the nearest folder upwards that holds a meshc.yaml, within the
// repository if there is one.
func configAbove(dir string) (string, bool) {
	for {
		if isFile(filepath.Join(dir, source.ConfigName)) {
			return dir, true
		}
		if up := filepath.Dir(dir); up == dir || isRepository(dir) {
			return "", false
		} else {
			dir = up
		}
	}
}

// rootOf is the repository that a folder lies in, else the one that is open.
func rootOf(dir, open string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if isRepository(at) {
			return at
		}
		if at == filepath.Dir(at) {
			return open
		}
	}
}

func isRepository(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ".git"))
	return err == nil
}

// within is the slash path of a file in a folder.
func within(root, path string) (string, bool) {
	rel, err := filepath.Rel(root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// manifest tells whether a document may be a part of a mesh, by its name.
func manifest(key string) bool {
	switch filepath.Ext(key) {
	case ".yaml", ".yml", ".json", ".rego", ".lock":
		return true
	}
	return filepath.Base(key) == "Kustomization" || !filepath.IsAbs(key)
}

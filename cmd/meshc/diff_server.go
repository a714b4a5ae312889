package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/bundle"
)

// bundleFiles are the files of a bundle that say what it means and who gets what.
var bundleFiles = []string{bundle.ManifestFile, bundle.IRFile, bundle.IndexFile, bundle.PackFile, bundle.OriginsFile, bundle.FindingsFile}

// maxBundleFile bounds what is read of one file, in bytes.
const maxBundleFile = 1 << 30

// fetchBundle reads the bundle that a running server serves from its admin
// address. Its digests are checked as those of a bundle on disk; a bundle that is
// replaced meanwhile fails them, and is read once more.
func fetchBundle(ctx context.Context, address string) (*bundle.Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return servedBundle(address, func(name string) ([]byte, error) {
		return fetchFile(ctx, strings.TrimSuffix(address, "/")+"/bundle/"+name)
	})
}

// servedBundle reads a bundle file by file from who serves it.
func servedBundle(who string, fetch func(name string) ([]byte, error)) (*bundle.Bundle, error) {
	var refused error
	for range 3 {
		files := map[string][]byte{}
		for _, name := range bundleFiles {
			data, err := fetch(name)
			if err != nil {
				return nil, err
			}
			files[name] = data
		}
		b, findings := bundle.FromFiles(files)
		if b != nil && !findings.HasErrors() {
			return b, nil
		}
		refused = fmt.Errorf("the bundle that %s serves is refused: %s", who, firstMessage(findings))
	}
	return nil, refused
}

func fetchFile(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxBundleFile))
}

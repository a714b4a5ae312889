package lsp

type index struct{}

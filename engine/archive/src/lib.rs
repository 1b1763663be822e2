//! thalweg-archive

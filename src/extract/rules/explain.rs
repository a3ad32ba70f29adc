//! Why a rule finds what it finds.

use mirror::Debt;

fn pay_twice(debt: Debt) {
    drop(debt.mutations());
    drop(debt.mutations());
}

fn main() {}
